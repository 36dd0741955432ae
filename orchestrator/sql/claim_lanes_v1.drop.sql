DROP FUNCTION claim_lanes_v1;
