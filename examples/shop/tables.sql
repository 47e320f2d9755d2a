-- The tables of the shop's own database that the warehouse reads.
create table if not exists products (id integer primary key, name text not null, category text not null);
create table if not exists prices (product_id integer not null, amount numeric not null, currency text not null);
create table if not exists suppliers (id integer primary key, name text not null, city text);
create table if not exists stock (product_id integer not null, place text not null, quantity integer not null);

insert into products values (1, 'kettle', 'kitchen'), (2, 'lamp', 'living'), (3, 'pan', 'kitchen');
insert into prices values (1, 29.5, 'EUR'), (2, 45, 'EUR'), (3, 19.5, 'EUR');
insert into suppliers values (1, 'Steel & Sons', 'Solingen');
insert into stock values (1, 'north', 2), (2, 'north', 40), (3, 'south', 10);
