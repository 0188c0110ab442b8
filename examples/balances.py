"""The balances of a chain, from the rows that `cairn views balances` keeps, read with confluent-kafka.

    python3 -m venv venv && venv/bin/pip install 'confluent-kafka[avro,json,schemaregistry]'
    venv/bin/python examples/balances.py localhost:9092 blockchain-balances
    venv/bin/python examples/balances.py localhost:9092 blockchain-balances http://localhost:8081

Prints a line for each account: its name and its balance. With the URL of a schema registry the topic's rows are read
with the schema that is registered there: Avro as it says, JSON checked against it.
"""

import json
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.serialization import MessageField, SerializationContext


def deserializer(topic, registry_url):
    """What makes a row of a record's value."""
    if registry_url is None:
        return lambda value, _: json.loads(value)
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.schema_registry.json_schema import JSONDeserializer

    client = SchemaRegistryClient({"url": registry_url})
    if client.get_latest_version(f"{topic}-value").schema.schema_type == "AVRO":
        return AvroDeserializer(client)
    return JSONDeserializer(None, schema_registry_client=client)


def rows(brokers, topic, deserialize):
    """All rows up to the end that the topic has now."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "balances-example",
            "enable.auto.commit": False,
            # Rows of a commit that was aborted are none.
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    context = SerializationContext(topic, MessageField.VALUE)
    while True:
        message = consumer.poll(10.0)
        if message is None:
            sys.exit(f"no answer from {brokers}")
        if message.error() is not None:
            if message.error().name() == "_PARTITION_EOF":
                break
            sys.exit(f"{message.error()}")
        yield deserialize(message.value(), context)
    consumer.close()


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    brokers, topic, *registry_url = sys.argv[1:]
    held = {}
    for row in rows(brokers, topic, deserializer(topic, *registry_url or [None])):
        # The last row of a name is the one that counts.
        held[row["name"]] = row["balance"]
    for name, balance in sorted(held.items()):
        print(name, balance)


if __name__ == "__main__":
    main()
