"""Decision records: what was asked, decided and why, drafted from what is sealed, and confirmed by a person."""
