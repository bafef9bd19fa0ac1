-- Meters present against meters required, by carrier and level over all units, with the edition's requirement.
select e.carrier, e.level, 100.0 * sum(e.present) / nullif(sum(e.needed), 0) as rate, max(e.required) as required,
       count(*) filter (where e.verdict = 'fail') as units_failing,
       100.0 * sum(e.present) / nullif(sum(e.needed), 0) - max(e.required) as rate_margin,
       sum(e.needed) as needed, sum(e.present) as present, sum(e.unknown) as undecided
from unit_list u
cross join lateral (
    select l.day from equipping_rate_list l where l.unit_id = u.unit_id order by l.day desc limit 1
) d
join equipping_rate_list e on e.unit_id = u.unit_id and e.day = d.day
group by e.carrier, e.level
order by e.carrier, array_position(array['unit', 'sub_unit', 'equipment'], e.level)
