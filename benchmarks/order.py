"""The payload of the throughput runs, about 200 bytes."""

from pydantic import BaseModel


class Order(BaseModel):
    """An order."""

    order_id: int
    region: str
    amount: float
    customer: str
    note: str
