-- Open faults of meters, those that touch most energy first, whether too much was counted or too little.
with factor as materialized (   -- tonnes of coal equivalent of one of the carrier's units, as the last week's totals had it
    select unit_id, carrier, sum(tce) / nullif(sum(amount) filter (where tce is not null), 0) as tce
    from unit_day
    where scope = 'unit' and day between (select local_day(now()) - 7) and (select local_day(now()) - 1)
    group by unit_id, carrier
)
select d.severity, d.kind, d.unit_name, d.point, d.started_at, d.energy_affected, d.energy_unit,
       case d.magnitude_unit when 'share' then 100 else 1 end * d.magnitude as magnitude, d.magnitude_unit,
       d.energy_affected * f.tce as tce_affected, d.meter_no, d.carrier, d.confidence, d.unit_code
from detection_list d
left join factor f on f.unit_id = d.unit_id and f.carrier = d.carrier
where d.state = 'open' and d.severity in ('warning', 'serious')
order by abs(d.energy_affected * f.tce) desc nulls last, abs(d.energy_affected) desc nulls last, d.started_at
limit 100
