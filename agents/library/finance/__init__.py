"""Lending: exact loan arithmetic, and the risk of a portfolio."""
