-- Sub-units and main equipment over the days shown and a year before, the largest first; a day that is not over does not count.
with asked as (
    select local_day($__timeFrom()::timestamptz) as first,
           case when local_day($__timeFrom()::timestamptz) < local_day(now())
               then least(local_day($__timeTo()::timestamptz), local_day(now()) - 1)
               else local_day($__timeTo()::timestamptz) end as last
    offset 0
), part as (
    select d.scope, d.sub_unit, d.name, d.carrier, d.unit, d.before, sum(d.amount) as amount, sum(d.tce) as tce,
           avg(d.completeness) as completeness, count(*) as days
    from (
        select scope, sub_unit, name, carrier, unit, false as before, amount, tce, completeness from unit_day
        where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
            and day between (select first from asked) and (select last from asked)
        union all
        select scope, sub_unit, name, carrier, unit, true, amount, tce, completeness from unit_day
        where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
            and day between (select first - interval '1 year' from asked)::date and (select last - interval '1 year' from asked)::date
    ) d
    group by 1, 2, 3, 4, 5, 6
)
select p.scope as level, case p.scope when 'sub_unit' then p.name else coalesce(nullif(p.sub_unit, ''), '–') end as sub_unit,
       case p.scope when 'sub_unit' then '–' else p.name end as name, p.carrier, p.amount, p.unit, p.tce,
       100 * p.tce / nullif((select sum(w.tce) from part w where w.scope = 'unit' and not w.before), 0) as share,
       b.amount as last_year, 100 * (p.amount / nullif(b.amount, 0) - 1) as change,
       round((100 * p.completeness)::numeric, 1)::float8 as completeness
from part p
left join part b
    on b.before and (b.scope, b.sub_unit, b.name, b.carrier, b.unit) = (p.scope, p.sub_unit, p.name, p.carrier, p.unit)
    and b.days >= least(p.days, (select (last - interval '1 year')::date - (first - interval '1 year')::date + 1 from asked))   -- not of fewer days
where p.scope in ('sub_unit', 'equipment') and not p.before
order by p.tce desc nulls last, p.amount desc nulls last
limit 200
