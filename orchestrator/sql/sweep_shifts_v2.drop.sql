DROP FUNCTION sweep_shifts_v2;
