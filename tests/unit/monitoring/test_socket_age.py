"""A socket never outlives what keeps it served: it is closed after twelve hours, and nothing that feeds it expires."""

from django.conf import settings

from monitoring import consumers


def test_socket_is_replaced_long_before_a_day_is_over_and_no_group_of_it_expires() -> None:
    assert 0 < consumers.MAX_AGE <= 12 * 3600

    # Channels' groups expire after a day (`group_expiry`); ours are the hub's own lists, and there is no channel layer.
    assert not getattr(settings, "CHANNEL_LAYERS", {})
