-- Who may see what. A viewer of boards can send any SQL through the board's data source, so the database itself keeps
-- the enterprises apart: each has a login role of its own, which may read the views of schema `enterprise` and nothing
-- else. The views belong to a role that row security binds (`meterwarden_lens`); rows and views ask which units
-- `current_user` stands for, never a setting, for a setting is the viewer's to change. Hypertables cannot have row
-- security everywhere, so the views say it for them once more. Staff read the ordinary views.
--
-- Roles belong to the whole server, their rights to one database: a role's name begins with the database's, and in
-- another database it finds itself in no `board.role` and sees nothing.

do $$
declare
    group_role name;
begin
    if not (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) then
        raise exception 'the database user % must be allowed to make roles, for each enterprise gets one of its own', current_user
            using hint = 'as a superuser: alter role ' || quote_ident(current_user) || ' createrole', errcode = 'insufficient_privilege';
    end if;
    foreach group_role in array array['meterwarden_lens', 'meterwarden_enterprise_viewer', 'meterwarden_staff_viewer'] loop
        begin
            execute format('create role %I nologin', group_role);
        exception when duplicate_object or unique_violation then
            null;                                    -- another database of this server made it
        end;
    end loop;
    if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('grant meterwarden_lens to %I', current_user);   -- to hand the views over
    end if;
    revoke create on schema public from public;
end
$$;

create schema board;                                 -- of who runs the boards; nobody else may look in
create schema enterprise;                            -- what an enterprise may read
grant usage, create on schema enterprise to meterwarden_lens;
grant usage on schema enterprise to meterwarden_enterprise_viewer;

-- The login roles of this database; a role goes with its row, a row with its unit.
create table board.role (
    role        name primary key,
    unit_id     int4 unique,                         -- null: of the staff
    password_at timestamptz,                         -- when the password was last changed
    handed_at   timestamptz,                         -- when a data source was known to have that password
    check (handed_at is null or password_at is not null)
);
grant usage on schema board to meterwarden_lens;
grant select (role, unit_id) on board.role to meterwarden_lens;

create function board.role_name(unit int4) returns name
    language sql stable
    return (left(current_database()::text, 44) || coalesce('_unit_' || unit, '_staff'))::name;

-- Make a unit's role, or the staff's for null, without a password and with its limits; safe to repeat.
create function board.enrol(unit int4) returns name
    language plpgsql
as $$
declare
    login  name := board.role_name(unit);
    viewer name := case when unit is null then 'meterwarden_staff_viewer' else 'meterwarden_enterprise_viewer' end;
begin
    -- no disk filled with temporary tables; said here, for a copy of a database does not take it along
    execute format('revoke temporary on database %I from public', current_database());
    if not exists (select from pg_roles where rolname = login) then
        execute format('create role %I login', login);
        execute format('grant %I to %I', viewer, login);
    elsif not pg_has_role(login, viewer, 'member') or (select rolsuper from pg_roles where rolname = login) then
        raise exception 'the role % must be a viewer of this database (it exists and is something else)', login;
    end if;
    execute format('alter role %I connection limit %s', login, case when unit is null then 40 else 12 end);
    execute format('alter role %I in database %I set default_transaction_read_only = on', login, current_database());
    execute format('alter role %I in database %I set statement_timeout = %L', login, current_database(), '20s');
    execute format('alter role %I in database %I set idle_in_transaction_session_timeout = %L', login, current_database(), '30s');
    execute format('alter role %I in database %I set lock_timeout = %L', login, current_database(), '5s');
    execute format('alter role %I in database %I set search_path = %s', login, current_database(),
                   case when unit is null then 'public' else 'enterprise, public' end);
    if (select rolsuper from pg_roles where rolname = current_user) then   -- the role itself cannot undo this one
        execute format('alter role %I in database %I set temp_file_limit = %L', login, current_database(), '1GB');
    end if;
    insert into board.role (role, unit_id) values (login, unit) on conflict (role) do nothing;
    return login;
end
$$;

create function board.role_gone() returns trigger
    language plpgsql
as $$
begin
    perform pg_terminate_backend(pid) from pg_stat_activity where usename = old.role and datname = current_database();
    if exists (select from pg_roles where rolname = old.role) then
        execute format('drop role %I', old.role);
    end if;
    return null;
end
$$;
create trigger role_gone after delete on board.role for each row execute function board.role_gone();

create function board.unit_gone() returns trigger
    language plpgsql
as $$
begin
    delete from board.role r where r.unit_id is not null and not exists (select from unit u where u.id = r.unit_id);
    return null;
end
$$;
create trigger unit_gone after delete on unit for each statement execute function board.unit_gone();
create trigger unit_emptied after truncate on unit for each statement execute function board.unit_gone();

-- What boards choose from.
create view unit_list as
select u.id as unit_id, u.code as unit_code, u.name as unit_name from unit u;

-- Every certificate that any version of the ledger named.
create view verification_list as
select u.code as unit_code, m.meter_no, c.verified_on, c.cycle_months, c.verification_due, c.meter_id, c.unit_id
from verification c
left join unit u on u.id = c.unit_id
left join meter m on m.id = c.meter_id;

-- Which registers ever counted for a point.
create view register_list as
select u.code as unit_code, p.code as point, m.meter_no, r.name as register, r.id as register_id, i.point_id, i.meter_id,
       i.unit_id
from installation i
join metering_point p on p.id = i.point_id
join unit u on u.id = p.unit_id
join meter m on m.id = i.meter_id
join register r on r.meter_id = i.meter_id;

-- Installed meters by how their verification stands today, as verification_state has it meter by meter.
create view verification_count as
select i.unit_id,
       case when v.due is null then 'unknown'
            when v.due < t.today then 'overdue'
            when v.due < t.today + 30 then 'due_30'
            when v.due < t.today + 90 then 'due_90'
            else 'valid' end as state,
       count(*) as meters
from installation i
cross join (select local_day(now()) as today offset 0) t   -- offset: worked out once, not in each row
left join (
    select c.meter_id, max(c.verification_due) as due
    from verification c
    where c.verified_on is null or c.verified_on <= (select local_day(now()))   -- once, not for each row
    group by c.meter_id
) v on v.meter_id = i.meter_id
where i.installed_from <= now() and i.installed_to > now()
group by 1, 2;

-- The views that boards read, and what of them an enterprise is not told: who on the authority's side looked at its
-- meters, and what they noted for each other. The staff alone see the views that are not `shared`.
create table board.view (
    view   name primary key,
    shared boolean not null,
    hidden text[] not null default '{}'
);
insert into board.view (view, shared, hidden) values
    ('ledger_point', true, '{}'), ('ledger_meter', true, '{}'), ('reading', true, '{}'),
    ('point_hour', true, '{}'), ('point_day', true, '{}'), ('unit_hour', true, '{}'), ('unit_day', true, '{}'),
    ('unit_completeness', true, '{}'), ('detection_list', true, '{}'), ('rejected_by_reason', true, '{}'),
    ('unit_list', true, '{}'), ('register_list', true, '{}'), ('verification_list', true, '{}'), ('verification_state', true, '{}'),
    ('verification_count', true, '{}'),
    ('finding_list', true, '{}'), ('compliance_list', true, '{}'), ('equipping_rate_list', true, '{}'),
    ('observability_list', true, '{}'), ('balance_list', true, '{}'),
    ('meter_verdict_list', true, '{found_by,note}'),
    ('alert_list', true, '{acknowledged_by,rule,level,flaps}'),
    ('case_list', true, '{assignee,assignee_name}'),
    ('case_history', true, '{by_name,login,role,note,facts}'),
    ('compliance_region', false, '{}'), ('pipeline_state', false, '{}'), ('pipeline_backlog', false, '{}'), ('outbox_state', false, '{}'),
    ('case_statistics', false, '{}');

-- Bind the role of the views by row security, on every plain table that says whose a row is.
create procedure board.rows()
    language plpgsql
    set search_path = public
as $$
declare
    own constant text := '(select array(select b.unit_id from board.role b where b.role = current_user))::int4[]';
    t record;
begin
    for t in
        select c.oid::regclass as name, case when c.relname = 'unit' then 'id' else 'unit_id' end as key
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
            and (c.relname = 'unit' or exists (
                select from pg_attribute a
                where a.attrelid = c.oid and a.attname = 'unit_id' and a.atttypid = 'int4'::regtype and not a.attisdropped))
            and not exists (select from timescaledb_information.hypertables h
                            where h.hypertable_schema = 'public' and h.hypertable_name = c.relname)
            and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'own_unit')
    loop
        execute format('alter table %s enable row level security', t.name);
        execute format('create policy own_unit on %s for select to meterwarden_lens using (%I = any (%s))', t.name, t.key, own);
    end loop;
end
$$;

-- Make the views of schema `enterprise` out of those of the staff, with the rows of `current_user`; safe to repeat, and
-- said again after every migration. Each holds the staff's view's text, not the view, for what is below a view is read
-- with the rights of the view's owner.
create procedure board.views()
    language plpgsql
    set search_path = public
as $$
declare
    own constant text :=
        '(select array(select b.unit_id from board.role b where b.role = current_user))::int4[]';
    own_code constant text :=
        '(select array(select u.code from board.role b join public.unit u on u.id = b.unit_id where b.role = current_user))::text[]';
    v record;
    columns text;
    key text;
    body text;
begin
    call board.rows();
    for v in select b.view, b.shared, b.hidden, c.oid from board.view b
             join pg_class c on c.relname = b.view and c.relnamespace = 'public'::regnamespace
    loop
        execute format('grant select on public.%I to meterwarden_staff_viewer', v.view);
        continue when not v.shared;
        select string_agg(
                   case when a.attname = any (v.hidden)
                       then format('null::%s as %I', format_type(a.atttypid, a.atttypmod), a.attname)
                       else format('v.%I', a.attname) end, ', ' order by a.attnum),
               case when bool_or(a.attname = 'unit_id') then 'v.unit_id = any (' || own || ')'
                    else 'v.unit_code = any (' || own_code || ')' end
        into columns, key
        from pg_attribute a where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped;
        body := format('view enterprise.%I with (security_barrier) as select %s from (%s) v where %s',
                       v.view, columns, rtrim(pg_get_viewdef(v.oid), '; '), key);
        begin
            execute 'create or replace ' || body;
        exception when invalid_table_definition then   -- columns are not as they were
            execute format('drop view enterprise.%I cascade', v.view);
            execute 'create ' || body;
        end;
        execute format('alter view enterprise.%I owner to meterwarden_lens', v.view);
        execute format('grant select on enterprise.%I to meterwarden_enterprise_viewer', v.view);
    end loop;
    execute 'create or replace function enterprise.readings(since timestamptz, until timestamptz)
        returns setof enterprise.reading language sql stable parallel safe
        begin atomic
            select * from enterprise.reading
            where measured_at >= since and measured_at < until
                and day between (since at time zone ''UTC'')::date and (until at time zone ''UTC'')::date;
        end';
end
$$;

-- What the views stand on. Functions in a view run with the rights of who asks, so the zone is there for all to know.
grant select on unit, sub_unit, main_equipment, metering_point, exemption, meter, register, installation, verification,
    measure_unit, factor, energy_series, consumption_hour, consumption_day, unit_energy_hour, unit_energy_day,
    reading_hot, reading_unpacked, finding, compliance_day, equipping_rate, detection, observability, meter_verdict, balance_hour, balance_day, alert, case_file,
    case_event to meterwarden_lens;
grant select (id, login, name, role, unit_id) on person to meterwarden_lens;
grant select (unit_code, stored_at, reason, readings, replayed_at) on rejected to meterwarden_lens;
alter table rejected enable row level security;
create policy own_unit on rejected for select to meterwarden_lens
    using (unit_code = any ((select array(select u.code from unit u))::text[]));   -- of `unit`, too, only its own rows
grant select on store_setting to meterwarden_enterprise_viewer, meterwarden_staff_viewer;
alter table store_setting enable row level security;
create policy zone on store_setting for select using (name = 'zone');

call board.views();

-- Functions of the server that everybody may call and that could hold up or fill what others work with: only a
-- superuser can take them back, so elsewhere they stay.
do $$
declare
    f regprocedure;
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        for f in
            select p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'pg_catalog'::regnamespace
                and (p.proname ~ '^pg_(try_)?advisory_' or p.proname ~ '^(lo_|lowrite|loread)'
                     or p.proname in ('pg_logical_emit_message', 'pg_notify'))
        loop
            execute format('revoke execute on function %s from public', f);
            execute format('grant execute on function %s to %I', f,   -- whose workers take such locks
                           (select pg_get_userbyid(datdba) from pg_database where datname = current_database()));
        end loop;
        for f in select p.oid::regprocedure from pg_proc p
                 where p.pronamespace = 'public'::regnamespace and p.proname = 'add_job'
        loop
            execute format('revoke execute on function %s from public', f);
        end loop;
    end if;
end
$$;
