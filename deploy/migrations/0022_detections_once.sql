-- A gap that a late reading fills was none: it is removed and not said, unless it has been said already.

alter table detection add column published boolean not null default false;   -- some revision went out
update detection set published = true where relayed or revision > 0;

delete from detection d
where d.kind = 'gap' and d.state = 'withdrawn' and d.relayed
    and not exists (select from alert_source s where s.source = 'detection' and s.source_id = d.id)
    and not exists (select from meter_verdict v where v.detection_id = d.id);
