-- Prices of energy by hours of the local day, as facts about units have them; written anew whenever facts are loaded. What
-- begins later replaces the whole set before it. A unit that the ledger does not have yet has no id: it comes with the ledger.
create table tariff (
    unit_code text not null,
    unit_id   int4 references unit,
    carrier   text not null,
    since     date not null,                         -- first local day
    period    text not null,
    hours     int4 not null check (hours between 0 and 16777215),   -- bit n: the local hour from n to n + 1
    price     float8 not null,                       -- of one unit
    unit      text not null,
    currency  text not null,
    source    text not null,
    primary key (unit_code, carrier, since, period)
);
create index on tariff (unit_id);
insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'tariff', ''), ('meterwarden_api', 'tariff', 'select, insert, update, delete');

create view tariff_list as
select u.code as unit_code, u.name as unit_name, t.carrier, t.since, t.period, t.hours, t.price, t.unit, t.currency,
       t.source, t.unit_id
from tariff t join unit u on u.id = t.unit_id;

grant select on tariff to meterwarden_lens;
insert into board.view (view, shared) values ('tariff_list', true);
-- Draws by lot are made on pages, too.
update board.service_right set rights = 'select, insert' where service = 'meterwarden_api' and relation = 'review_draw';
call board.rows();
call board.views();
call board.services();
