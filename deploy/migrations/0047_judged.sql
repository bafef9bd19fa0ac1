-- What a person had before them when they gave a verdict: a mere change of the same fault raises no alert again once the
-- case is closed, and what has grown beyond this does (analytics.alerting.judged).

alter table alert_source
    add column severity  text not null default 'info',   -- as the alert had it last
    add column magnitude float8;
update alert_source s set severity = a.severity from alert a where a.id = s.alert_id;
update alert_source s set magnitude = d.magnitude from detection d where s.source = 'detection' and d.id = s.source_id;

create table alert_judged (
    id        int8 generated always as identity primary key,
    case_id   int8 not null references case_file,
    unit_id   int4 not null references unit,
    source    text not null,
    source_id int8 not null,
    point_id  int4,
    meter_id  int4,
    kind      text not null,
    severity  text not null,
    magnitude float8,
    at        timestamptz not null                       -- of the verdict
);
create index on alert_judged (source, source_id);
create index on alert_judged (point_id, kind) where source = 'detection';
create index on alert_judged (case_id);
create index on alert_judged (unit_id);
comment on table alert_judged is 'What was behind an alert when a verdict was given';

insert into alert_judged (case_id, unit_id, source, source_id, point_id, meter_id, kind, severity, magnitude, at)
select c.id, s.unit_id, s.source, s.source_id, s.point_id, s.meter_id, coalesce(d.kind, s.source), s.severity, s.magnitude,
       c.verdict_at
from case_file c
join alert_source s on s.alert_id = c.alert_id
left join detection d on s.source = 'detection' and d.id = s.source_id
where c.verdict_at is not null;

insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'alert_judged', 'select'), ('meterwarden_api', 'alert_judged', 'select, insert');
call board.rows();
call board.services();
