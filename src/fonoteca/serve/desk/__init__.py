"""The curator's desk in the site: everything under `/desk`, for curators and operators."""
