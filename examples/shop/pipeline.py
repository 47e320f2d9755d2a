"""A shop: files of its stores, orders from Kafka, customers, and a warehouse made of SQL.

Thirty-four assets, and each event launches only the few that it concerns: one day, one region, one
customer, the readers of one column. The tests beside this file are a week of its life.

To see it live, with the extra `sql`, a Kafka broker at REACTOR_KAFKA, and four tables:
    sqlite3 shop.db < examples/shop/tables.sql
    reactor dev examples/shop/pipeline.py
"""

from pydantic import BaseModel

from reactor import Daily, Dynamic, Hourly, Mapped, Monthly, Offset, Output, Pipeline
from sensors import FileArrivals, KafkaTopic, Schedule, SchemaChanges

DATABASE = "sqlite:///shop.db"


class Order(BaseModel):
    id: int
    customer: str
    amount: float


class Signup(BaseModel):
    customer: str
    email: str


files = FileArrivals("inbox/*/*.csv")
orders = KafkaTopic("orders", model=Order)
signups = KafkaTopic("signups", model=Signup)
nightly = Schedule("0 2 * * *", tz="Europe/Berlin", name="nightly")
fridays = Schedule("0 9 * * 5", tz="Europe/Berlin", name="fridays")
tables = SchemaChanges(DATABASE, tables="*")

shop = Pipeline("shop", owner="data@shop.example", pools={"warehouse": 2}, sensors=[tables])

# What things are divided into. A store's file is a part of its own, `2026-01-05-eu`, and belongs to
# a day and to a region; nobody lists the regions or the customers, they are there once they came.
HOURS = Hourly("2026-01-01", zone="Europe/Berlin")
DAYS = Daily("2026-01-01", zone="Europe/Berlin")
MONTHS = Monthly("2026-01", zone="Europe/Berlin")
FILES = Dynamic("file").by(path=r"inbox/(?P<day>\d{4}-\d\d-\d\d)/(?P<region>\w+)\.csv")
REGIONS = Dynamic("region")
CUSTOMERS = Dynamic("customer")


def day_of(file: str) -> str:
    return file[:10]


def region_of(file: str) -> str:
    return file[11:]


# The stores: a file for each day and region. It may come late, twice, or with mistakes in it.


@shop.asset(on=files, partitions=FILES, version="file", reads={}, owner="stores@shop.example")
def raw_sales(event) -> str:
    """The file. If it is delivered again and is the same, nothing follows from it."""
    return event.subject


@shop.asset(partitions=FILES, reads={raw_sales: ["sku", "amount"]}, owner="stores@shop.example")
def clean_sales(raw_sales, partition) -> str:
    return f"lake/sales/{partition}.parquet"


@shop.check(clean_sales)
def it_has_a_name(clean_sales) -> bool:
    """A gate: what does not pass is not there for anybody."""
    return clean_sales.endswith(".parquet")


@shop.asset(partitions=FILES, reads={raw_sales: "*"}, owner="stores@shop.example")
def rejected_rows(raw_sales, partition) -> str:
    return f"lake/rejected/{partition}.parquet"


@shop.asset(partitions=DAYS, mapping={clean_sales: Mapped(day_of)}, reads={clean_sales: ["amount"]})
def store_sales(clean_sales, partition) -> str:
    """A day of all stores whose files are there."""
    return f"lake/days/{partition}.parquet"


@shop.asset(
    partitions=REGIONS, mapping={clean_sales: Mapped(region_of)}, reads={clean_sales: ["amount"]}
)
def region_sales(clean_sales, partition) -> str:
    """All days of one region. A region that is new comes with its first file."""
    return f"lake/regions/{partition}.parquet"


@shop.asset(partitions=REGIONS, reads={region_sales: ["amount"]}, owner="stores@shop.example")
def region_letter(region_sales, partition) -> str:
    return f"letters/{partition}.html"


@shop.asset(
    partitions=REGIONS,
    mapping={rejected_rows: Mapped(region_of)},
    reads={rejected_rows: "*"},
    owner="stores@shop.example",
)
def complaint(rejected_rows, partition) -> str:
    """What a region should send better."""
    return f"letters/{partition}-complaint.html"


# The web shop: orders come one by one and are kept hour by hour.


@shop.asset(on=orders.debounce("1m", max_wait="10m"), partitions=HOURS, reads={})
def web_orders(events, partition) -> dict:
    return {"file": f"lake/orders/{partition}.parquet", "orders": len(events)}


@shop.asset(partitions=HOURS, reads={web_orders: ["id", "amount"]}, owner="fraud@shop.example")
def suspicious_orders(web_orders, partition) -> str:
    return f"lake/suspicious/{partition}.parquet"


@shop.asset(partitions=DAYS, reads={web_orders: ["amount"]})
def web_sales(web_orders, partition) -> str:
    return f"lake/web/{partition}.parquet"


@shop.asset(partitions=DAYS, version="value", reads={web_orders: ["id"]})
def busiest_hour(web_orders, partition) -> str:
    """Of a day. Mostly it stays the one it was, and then nothing follows from it."""
    return max(web_orders, key=lambda hour: web_orders[hour]["orders"])


@shop.asset(partitions=DAYS, reads={busiest_hour: "*"}, owner="support@shop.example")
def shift_plan(busiest_hour, partition) -> str:
    return f"{partition}: more people at {busiest_hour}"


# Both together.


@shop.asset(partitions=DAYS, reads={store_sales: ["amount"], web_sales: ["amount"]})
def revenue(partition, store_sales=None, web_sales=None) -> str:
    """A day without one of the two is a day all the same: the defaults say that they may miss."""
    return f"lake/revenue/{partition}.parquet"


@shop.asset(partitions=DAYS, mapping={revenue: Offset(-1, 0)}, reads={revenue: ["amount"]})
def against_yesterday(revenue, partition) -> str:
    return f"lake/trend/{partition}.parquet"


@shop.asset(partitions=MONTHS, reads={revenue: ["amount"]}, owner="finance@shop.example")
def monthly_revenue(revenue, partition) -> str:
    return f"lake/months/{partition}.parquet"


@shop.asset(partitions=MONTHS, reads={monthly_revenue: ["amount"]}, owner="finance@shop.example")
def tax_statement(monthly_revenue, partition) -> str:
    return f"statements/{partition}.pdf"


# Customers: one table, of which each run says whose rows it changed. What is made for a single
# customer is then made for these, and for nobody else.


@shop.asset(on=signups.batch(100, max_wait="5m"), reads={})
def customers(events) -> Output:
    return Output("lake/customers", changed=sorted({each.data.customer for each in events}))


@shop.asset(partitions=CUSTOMERS, reads={customers: ["customer", "email"]})
def profile(customers, partition) -> str:
    return f"{customers}/{partition}.json"


@shop.asset(partitions=CUSTOMERS, version="value", reads={profile: "*"})
def segment(profile, partition) -> str:
    """Which kind of customer that is: seldom another one than before."""
    return "business" if partition.startswith("company") else "private"


@shop.asset(partitions=CUSTOMERS, reads={segment: "*"}, owner="marketing@shop.example")
def welcome(segment, partition) -> str:
    return f"mail/{partition}-{segment}.html"


@shop.asset(reads={segment: "*"})
def segment_sizes(segment) -> dict:
    kinds = sorted(set(segment.values()))
    return {kind: list(segment.values()).count(kind) for kind in kinds}


# The warehouse: SQL over the tables of the shop's own database, made anew every night. Who reads
# which column stands in the queries; a column that comes or goes concerns exactly its readers.


@shop.asset(
    sql="select id, name, category from main.products",
    database=DATABASE,
    on=nightly,
    pool="warehouse",
)
def stg_products(): ...


@shop.asset(
    sql="select product_id, amount, currency from main.prices",
    database=DATABASE,
    on=nightly,
    pool="warehouse",
)
def stg_prices(): ...


@shop.asset(sql="select * from main.suppliers", database=DATABASE, on=nightly, pool="warehouse")
def stg_suppliers(): ...


@shop.asset(
    sql="select product_id, place, quantity from main.stock",
    database=DATABASE,
    on=nightly,
    pool="warehouse",
)
def stg_stock(): ...


@shop.asset(
    sql="""
        select p.id, p.name, p.category, r.amount, r.currency
        from stg_products p join stg_prices r on r.product_id = p.id
    """,
    database=DATABASE,
    pool="warehouse",
)
def catalogue(): ...


@shop.asset(
    sql="select category, count(*) as products from stg_products group by category",
    database=DATABASE,
    pool="warehouse",
)
def categories(): ...


@shop.asset(
    sql="""
        select s.place, sum(s.quantity * r.amount) as value
        from stg_stock s join stg_prices r on r.product_id = s.product_id
        group by s.place
    """,
    database=DATABASE,
    pool="warehouse",
    owner="finance@shop.example",
)
def stock_value(): ...


@shop.asset(
    sql="select product_id from stg_stock where quantity < 5",
    database=DATABASE,
    pool="warehouse",
    owner="purchasing@shop.example",
)
def low_stock(): ...


@shop.asset(reads={catalogue: ["id", "name", "category"], categories: ["category"]})
def shop_page(catalogue, categories) -> str:
    """Has no prices on it."""
    return "site/index.html"


@shop.asset(reads={catalogue: ["id", "amount", "currency"]})
def price_feed(catalogue) -> str:
    return "site/prices.xml"


@shop.asset(reads={low_stock: ["product_id"], stg_suppliers: "*"}, owner="purchasing@shop.example")
def purchase_list(low_stock, stg_suppliers) -> str:
    return "lake/purchases.csv"


# For people. What is to come at its own time has a trigger of its own and says follow=False: what
# it reads may change as often as it likes.


@shop.asset(
    reads={monthly_revenue: ["amount"], segment_sizes: "*", stock_value: ["value"]},
    owner="finance@shop.example",
)
def dashboard(monthly_revenue, segment_sizes=None, stock_value=None) -> str:
    return "site/dashboard.html"


@shop.asset(
    on=fridays,
    follow=False,
    reads={segment_sizes: "*", catalogue: ["name", "amount"]},
    owner="marketing@shop.example",
)
def newsletter(context, segment_sizes=None, catalogue=None) -> str:
    return f"mail/newsletter-{context.run}.html"
