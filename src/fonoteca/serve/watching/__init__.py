"""What the site tells whoever runs it: a line a request, meters, and one access event a fetch."""
