DROP FUNCTION settle_one_v2;
