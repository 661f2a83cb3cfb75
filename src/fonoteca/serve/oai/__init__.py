"""OAI-PMH 2.0: how libraries harvest what this archive may share.

Source: http://www.openarchives.org/OAI/openarchivesprotocol.html, whose sections the comments name.
"""

from fonoteca.serve.oai.routes import Oai

__all__ = ["Oai"]
