"""Later secrets of tokens that are renewed. Written by `tokens`."""

from django.db import models


class RenewedSecret(models.Model):
    """A later secret of a token, as its hash. Each ends by itself: workers that share a token keep each their own."""

    token = models.ForeignKey("approvals.ApiToken", on_delete=models.CASCADE, related_name="renewed")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
