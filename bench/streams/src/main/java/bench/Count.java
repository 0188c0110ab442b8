package bench;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.BytesDeserializer;
import org.apache.kafka.common.serialization.BytesSerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * Counts the records of each key in a store with a changelog, and writes key and count, 8 bytes big endian, to the output.
 *
 * <p>Runs until its standard input ends, or it is told to by SIGTERM. It measures nothing: the driver does, from outside.
 */
public final class Count {
    private static final String STORE = "counts";

    private Count() {}

    /** Keys and values stay bytes: no string is made, and no number is boxed. */
    private static final class Counting implements Processor<Bytes, byte[], Bytes, byte[]> {
        private ProcessorContext<Bytes, byte[]> context;
        private KeyValueStore<Bytes, byte[]> counts;

        @Override
        public void init(ProcessorContext<Bytes, byte[]> given) {
            context = given;
            counts = given.getStateStore(STORE);
        }

        @Override
        public void process(Record<Bytes, byte[]> record) {
            byte[] before = counts.get(record.key());
            long count = before == null ? 1 : ByteBuffer.wrap(before).getLong() + 1;
            byte[] after = ByteBuffer.allocate(Long.BYTES).putLong(count).array();
            counts.put(record.key(), after);
            context.forward(record.withValue(after));
        }
    }

    private static Topology counting(Settings settings) {
        KeyValueBytesStoreSupplier supplier =
                settings.inMemory() ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE);
        StoreBuilder<KeyValueStore<Bytes, byte[]>> counts =
                Stores.keyValueStoreBuilder(supplier, Serdes.Bytes(), Serdes.ByteArray());
        counts = settings.isCached() ? counts.withCachingEnabled() : counts.withCachingDisabled();
        Topology topology = new Topology();
        topology.addSource("input", new BytesDeserializer(), new ByteArrayDeserializer(), settings.input());
        topology.addProcessor("count", Counting::new, "input");
        topology.addStateStore(counts, "count");
        topology.addSink("output", settings.output(), new BytesSerializer(), new ByteArraySerializer(), "count");
        return topology;
    }

    public static void main(String[] arguments) throws Exception {
        Settings settings = Settings.parse(arguments);
        CountDownLatch failed = new CountDownLatch(1);
        KafkaStreams streams = new KafkaStreams(counting(settings), settings.properties());
        streams.setUncaughtExceptionHandler(exception -> {
            exception.printStackTrace();
            failed.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(streams)));
        Thread orders = new Thread(Count::exitAtTheEndOfStandardInput);
        orders.setDaemon(true);
        streams.start();
        orders.start();
        failed.await();
        System.exit(1);
    }

    private static void exitAtTheEndOfStandardInput() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is said there.
            }
        } catch (java.io.IOException gone) {
            // The driver has ended.
        }
        System.exit(0);
    }

    /** Leaves the group, or the next start with this application id would wait for this member's session to time out. */
    private static void close(KafkaStreams streams) {
        streams.close(CloseOptions.timeout(Duration.ofSeconds(30))
                .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
    }
}
