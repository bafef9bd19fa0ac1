-- When the verification of each installed meter ends: for all meters of a region at once, where `verification_state` asks
-- meter by meter (100,000 meters: 2 s). As there, of several certificates the one that holds longest counts, and what was
-- certified before a meter failed holds no longer.
create view verification_term as
select i.unit_id, i.point_id, i.meter_id, v.due as verification_due
from installation i
join (
    select c.meter_id, max(c.verification_due) as due
    from verification c
    left join (
        select f.meter_id, max(f.verified_on) as on_day from verification f
        where f.failed and f.verified_on <= (select local_day(now())) group by f.meter_id
    ) f on f.meter_id = c.meter_id
    where (c.verified_on is null or c.verified_on <= (select local_day(now())))   -- once, not for each row
        and (f.on_day is null or c.verified_on >= f.on_day)
    group by c.meter_id
) v on v.meter_id = i.meter_id
where i.installed_from <= now() and i.installed_to > now() and v.due is not null;

insert into board.view (view, shared) values ('verification_term', false);
call board.views();
call board.services();
