-- The balance that the point stands in, as parent or as child: parent, children, losses and what is left over.
with mine as (
    select coalesce(b.point, p.parent_point) as point
    from ledger_point p
    left join lateral (
        select l.point from balance_list l where l.unit_code = ${unit:sqlstring} and l.point = p.point limit 1
    ) b on true
    where p.unit_code = ${unit:sqlstring} and p.point = ${point:sqlstring}
), cell as (
    select $__timeGroup(start, $__interval) as time, sum(parent_amount) as parent, sum(children_amount) as children,
           sum(loss_estimate) as losses, sum(residual) as residual
    from balance_list
    where unit_code = ${unit:sqlstring} and point = (select point from mine) and $__timeFilter(start)
    group by 1
)
select g.time, c.parent, c.children, c.losses, c.residual
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
