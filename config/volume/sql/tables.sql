-- What the other statements join: it lives as long as the connection.
CREATE TEMP TABLE volume_flow (
    flow int PRIMARY KEY, workflow bigint, version bigint, title text, size int, queue bigint, queue_name text
);
CREATE TEMP TABLE volume_person (place int PRIMARY KEY, person bigint, name text);
CREATE TEMP TABLE volume_subject (flow int, variant int, subject jsonb, seal text, PRIMARY KEY (flow, variant));
CREATE TEMP TABLE volume_line (flow int, fate text, seq int, kind text, step int, actor text, data jsonb, late boolean);
CREATE TEMP TABLE volume_task (
    flow int, fate text, key text, status text, attempt smallint, pending int, fed int, wait_for text,
    began int, ended int, late boolean
);
CREATE TEMP TABLE volume_run (
    n int PRIMARY KEY, flow int, fate text, status text, run bigint, gate bigint, decision bigint, first_event bigint,
    began timestamptz, pace interval, waited interval, opened timestamptz, settled timestamptz, ended timestamptz,
    remaining int, failed int, place int, variant int, incident text, events int
);
