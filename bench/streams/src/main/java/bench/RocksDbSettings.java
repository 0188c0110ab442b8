package bench;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/** A block cache in which the whole store has room, and Bloom filters for files and write buffers alike. */
public final class RocksDbSettings implements RocksDBConfigSetter {
    private static final long MIB = 1024 * 1024;

    /** Of the store, and closed with it. */
    private LRUCache blocks;

    private BloomFilter filter;

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configuration) {
        blocks = new LRUCache(128 * MIB);
        filter = new BloomFilter(10);
        BlockBasedTableConfig tables = (BlockBasedTableConfig) options.tableFormatConfig();
        tables.setBlockCache(blocks);
        tables.setBlockSize(16 * 1024);
        tables.setFilterPolicy(filter);
        tables.setCacheIndexAndFilterBlocks(true);
        tables.setPinL0FilterAndIndexBlocksInCache(true);
        options.setTableFormatConfig(tables);
        options.setWriteBufferSize(16 * MIB);
        options.setMaxWriteBufferNumber(3);
        options.setMinWriteBufferNumberToMerge(1);
        options.setMemtablePrefixBloomSizeRatio(0.05);
        options.setMemtableWholeKeyFiltering(true);
        options.setMaxBackgroundJobs(2);
    }

    @Override
    public void close(String store, Options options) {
        filter.close();
        blocks.close();
    }
}
