-- Two walls between enterprises. A `security_barrier` keeps a viewer's functions out, but lets comparisons that the
-- server calls leakproof through to the tables, and those of text, numbers and dates all are: the row counts of
-- `explain analyze` and of pg_stat_xact_all_tables then answered any question about others' values. So the barrier
-- stands in schema `lens`, which nobody may enter, and over it the view that people see, each column of which goes
-- through an expression that is not leakproof. Such a column is compared above the barrier only, with rows of one's own.
--
-- What a view must still compare below, to be fast over much history, is listed as `open`: keys and times, never a
-- value. Where a key is open, the barrier also asks whether the key is one's own, in the same place and by the same
-- index, so that a row of others is not even counted.

create schema lens;                                  -- the barriers; nobody else may look in
grant usage, create on schema lens to meterwarden_lens;

alter table board.view
    add column open text[] not null default '{}',    -- columns that are compared below the barrier
    add column made text;                            -- checksum of what `board.views()` made of it last
update board.view set open = '{measured_at,day,register_id}' where view = 'reading';
update board.view set open = '{start,point_id}' where view in ('point_hour', 'balance_list');
update board.view set open = '{start}' where view = 'unit_hour';
update board.view set open = '{day}' where view in ('point_day', 'unit_day', 'unit_completeness');

-- What is asked by unit before anything else needs an index that begins with it, or the rows of others are counted.
create index on register (unit_id);

-- A column through something that is not leakproof and leaves the value as it is; `as_text` is its type.
create function board.opaque(col text, type oid, as_text text) returns text
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    base pg_type;
begin
    select * into base from pg_type where oid = type;
    while base.typtype = 'd' loop
        select * into base from pg_type where oid = base.typbasetype;
    end loop;
    return case
        when base.typcategory = 'A' then format('trim_array(%s, 0)::%s', col, as_text)
        when base.typname in ('int2', 'int4', 'int8', 'float4', 'float8', 'numeric') then
            format('(%s - 0::%I)::%s', col, base.typname, as_text)   -- keeps a negative zero
        when base.typname = 'bool' then format('(%s::int4 - 0)::%s', col, as_text)
        when base.typname = 'date' then format('(%s - 0)::%s', col, as_text)
        when base.typname in ('timestamp', 'timestamptz', 'interval') then
            format('(%s + interval ''0'')::%s', col, as_text)
        when base.typname in ('text', 'varchar') then format('(%s || '''')::%s', col, as_text)
        when base.typname = 'bytea' then format('(%s || ''\x''::bytea)::%s', col, as_text)
        when base.typname = 'jsonb' then format('(%s #> ''{}''::text[])::%s', col, as_text)
        -- by way of its text: a conversion is leakproof for no type; appended, so that a cast that copies is none either
        else format('((%s)::text || '''')::%s', col, as_text)
    end;
end
$$;

-- Make the two views of each view of the staff that is `shared`; safe to repeat, and said again after every migration.
-- The barrier holds the staff's view's text, not the view, for what is below a view is read with the rights of the
-- view's owner. What is as it was is left alone: replacing a view waits for everybody who reads it, and everybody who
-- wants to then waits behind.
create or replace procedure board.views()
    language plpgsql
    set search_path = public
as $$
declare
    own constant text := '(select b.unit_id from board.role b where b.role = current_user)';
    own_code constant text :=
        '(select array(select u.code from board.role b join public.unit u on u.id = b.unit_id where b.role = current_user))::text[]';
    keys constant jsonb := '{"register_id": "register", "point_id": "metering_point", "meter_id": "meter"}';
    v record;
    shown text;
    behind text;
    mine text;
    wrong text;
    mark text;
begin
    call board.rows();
    for v in select b.view, b.shared, b.hidden, b.open, b.made, c.oid from board.view b
             join pg_class c on c.relname = b.view and c.relnamespace = 'public'::regnamespace
             order by b.view
    loop
        if not has_table_privilege('meterwarden_staff_viewer', v.oid, 'select') then
            execute format('grant select on public.%I to meterwarden_staff_viewer', v.view);
        end if;
        continue when not v.shared;

        select string_agg(
                   case when a.attname = any (v.hidden)
                       then format('null::%s as %I', format_type(a.atttypid, a.atttypmod), a.attname)
                       else format('v.%I', a.attname) end, ', ' order by a.attnum),
               string_agg(
                   case when a.attname = any (v.open) then format('v.%I', a.attname)
                       else board.opaque(format('v.%I', a.attname), a.atttypid, format_type(a.atttypid, a.atttypmod))
                           || format(' as %I', a.attname) end, ', ' order by a.attnum),
               -- `case` is what a scan asks of a row first, and `=` what finds rows by an index: were a viewer's
               -- comparison asked before, then whether the select was ever needed would answer it
               case when bool_or(a.attname = 'unit_id')
                   then format('case %s when v.unit_id then true else false end and v.unit_id = %1$s', own)
                   else format('v.unit_code = any (%s)', own_code) end
                   || coalesce(string_agg(          -- of these tables, too, row security leaves one's own
                          format(' and v.%1$I >= (select min(k.id) from public.%2$I k) and v.%1$I <= (select max(k.id) from public.%2$I k)'
                                 ' and v.%1$I = any ((select array(select k.id from public.%2$I k))::int4[])', a.attname, keys ->> a.attname), '')
                          filter (where a.attname = any (v.open) and keys ? a.attname), ''),
               string_agg(a.attname, ', ') filter (
                   where a.attname = any (v.open)
                       and (a.atttypid not in ('date'::regtype, 'timestamptz'::regtype) and not keys ? a.attname
                            or a.attname = any (v.hidden)))
        into behind, shown, mine, wrong
        from pg_attribute a where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped;
        if wrong is not null then
            raise exception 'open columns of % must be times or keys of points, meters or registers (got %)', v.view, wrong;
        end if;

        behind := format('select %s from (%s) v where %s', behind, rtrim(pg_get_viewdef(v.oid), '; '), mine);
        mark := md5(behind || shown);
        continue when mark = v.made
            and to_regclass(format('lens.%I', v.view)) is not null and to_regclass(format('enterprise.%I', v.view)) is not null;
        begin
            execute format('create or replace view lens.%I with (security_barrier) as %s', v.view, behind);
            execute format('create or replace view enterprise.%I as select %s from lens.%I v', v.view, shown, v.view);
        exception when invalid_table_definition then   -- columns are not as they were
            execute format('drop view if exists enterprise.%I cascade', v.view);
            execute format('drop view if exists lens.%I cascade', v.view);
            execute format('create view lens.%I with (security_barrier) as %s', v.view, behind);
            execute format('create view enterprise.%I as select %s from lens.%I v', v.view, shown, v.view);
        end;
        execute format('alter view lens.%I owner to meterwarden_lens', v.view);
        execute format('alter view enterprise.%I owner to meterwarden_lens', v.view);
        execute format('grant select on enterprise.%I to meterwarden_enterprise_viewer', v.view);
        update board.view set made = mark where view = v.view;
        if v.view = 'reading' then
            execute 'create or replace function enterprise.readings(since timestamptz, until timestamptz)
                returns setof enterprise.reading language sql stable parallel safe
                begin atomic
                    select * from enterprise.reading
                    where measured_at >= since and measured_at < until
                        and day between (since at time zone ''UTC'')::date and (until at time zone ''UTC'')::date;
                end';
        end if;
    end loop;
end
$$;

call board.views();
