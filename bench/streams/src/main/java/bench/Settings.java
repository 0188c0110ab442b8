package bench;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/** What the command line says: `--name value`, each name once. */
final class Settings {
    private static final int KIB = 1024;
    private static final int MIB = 1024 * KIB;

    private final Map<String, String> given = new HashMap<>();

    private Settings() {}

    static Settings parse(String[] arguments) {
        Settings settings = new Settings();
        for (int at = 0; at < arguments.length; at += 2) {
            if (!arguments[at].startsWith("--") || at + 1 == arguments.length) {
                throw new IllegalArgumentException("expected --NAME VALUE, got " + arguments[at]);
            }
            settings.given.put(arguments[at].substring(2), arguments[at + 1]);
        }
        return settings;
    }

    private String needed(String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is needed");
        }
        return value;
    }

    private String or(String name, String otherwise) {
        return given.getOrDefault(name, otherwise);
    }

    String input() {
        return needed("input");
    }

    String output() {
        return needed("output");
    }

    boolean inMemory() {
        return or("store", "rocksdb").equals("memory");
    }

    /** In MiB; none, unless asked for: a record cache would save changelog records, and costs more than it saves here. */
    private int cacheMib() {
        return Integer.parseInt(or("cache-mib", "0"));
    }

    boolean isCached() {
        return cacheMib() > 0;
    }

    Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", needed("brokers"));
        properties.put("application.id", needed("application"));
        properties.put("state.dir", needed("state-directory"));
        properties.put("processing.guarantee", or("guarantee", "exactly_once_v2"));
        properties.put("commit.interval.ms", needed("commit-interval-ms"));
        properties.put("num.stream.threads", or("threads", "1"));
        properties.put("replication.factor", "1");
        properties.put("main.consumer.auto.offset.reset", "earliest");
        properties.put("producer.acks", "all");
        properties.put("producer.compression.type", or("compression", "none"));
        properties.put("statestore.cache.max.bytes", Integer.toString(cacheMib() * MIB));
        properties.put("enable.metrics.push", "false");
        // There is no global store; unless this is set, a line of warning is written at every start.
        properties.put("processing.exception.handler.global.enabled", "true");
        properties.put("enable.transactional.statestores", or("transactional", "false"));
        if (or("settings", "tuned").equals("tuned")) {
            tune(properties);
        }
        return properties;
    }

    /** Larger batches on every way, and a RocksDB that looks less often at its files. */
    private static void tune(Properties properties) {
        // A commit flushes what lingers, so this delays nothing: it only makes batches full.
        properties.put("producer.linger.ms", "100");
        properties.put("producer.batch.size", Integer.toString(256 * KIB));
        properties.put("producer.buffer.memory", Integer.toString(64 * MIB));
        properties.put("producer.max.request.size", Integer.toString(4 * MIB));
        properties.put("main.consumer.max.poll.records", "5000");
        properties.put("main.consumer.max.partition.fetch.bytes", Integer.toString(4 * MIB));
        properties.put("restore.consumer.max.poll.records", "10000");
        properties.put("restore.consumer.max.partition.fetch.bytes", Integer.toString(8 * MIB));
        properties.put("buffered.records.per.partition", "20000");
        properties.put("rocksdb.config.setter", RocksDbSettings.class.getName());
    }
}
