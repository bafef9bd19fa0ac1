-- Where a unit is, as the ledger has it, so that a map shows the region by state.
alter table unit
    add column longitude float8 check (longitude between -180 and 180),   -- degrees, east positive, WGS 84
    add column latitude  float8 check (latitude between -90 and 90),      -- degrees, north positive, WGS 84
    add check ((longitude is null) = (latitude is null));

create or replace view unit_list as
select u.id as unit_id, u.code as unit_code, u.name as unit_name, u.longitude, u.latitude from unit u;

call board.views();
