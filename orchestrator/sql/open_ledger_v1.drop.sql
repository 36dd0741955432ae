DROP FUNCTION find_unsealed;
DROP FUNCTION raise_low_water_mark;
DROP FUNCTION open_low_water_mark;
DROP FUNCTION open_ledger;
