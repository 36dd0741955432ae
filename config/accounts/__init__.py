"""Signing in and staying signed in: passwords, second factors, passkeys, a provider's OpenID Connect, sessions, tokens.

django-allauth does the protocols; here are its adapters, the rules around it and the pages of one's own account.
"""
