"""Balances as examples/balances.py prints them, read with the last schema of the registry, which has a field `more` that
the rows were written without."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

import balances
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer


def main():
    brokers, topic, registry_url = sys.argv[1:]
    client = SchemaRegistryClient({"url": registry_url})
    schema = client.get_latest_version(f"{topic}-value").schema
    assert '"more"' in schema.schema_str, schema.schema_str
    is_avro = schema.schema_type == "AVRO"
    deserialize = AvroDeserializer(client, schema) if is_avro else JSONDeserializer(schema, schema_registry_client=client)
    held = {}
    for row in balances.rows(brokers, topic, deserialize):
        # Avro fills in what a reader expects and a writer did not know.
        assert ("more" in row) == is_avro and row.get("more") is None, row
        held[row["name"]] = row["balance"]
    for name, balance in sorted(held.items()):
        print(name, balance)


main()
