package meterwarden.kafka;

import java.nio.ByteBuffer;
import javax.net.ssl.SSLException;

/**
 * Follows what one connection of a gateway sends, request by request, and refuses what would stall Kafka before Kafka
 * makes room for it: Kafka takes a request's stated size from the room that all requests share.
 *
 * <p>A request to produce may have `most` bytes and holds batches of codecs that unpack into little; any other request
 * may have 64 KiB. Nothing is kept but the field that is being read. Requests: a size of four bytes, then the request
 * (Kafka's protocol guide); versions 3 to 13 of Produce, of which 9 and later are "flexible".
 */
final class GatewayFrames {
    /** Largest request that is no Produce: a list of 10,000 names of topics becomes megabytes of objects. */
    static final int MOST_OF_OTHERS = 64 << 10;

    private static final int HEAD = 10;
    private static final int BATCH_HEAD = 23;
    private static final int SMALLEST_BATCH = 61;
    private static final int FLEXIBLE = 9;
    private static final int TOPIC_IDS = 13;
    private static final int UNPACKED = 0;
    private static final int SNAPPY = 2;
    private static final int VARINT = -1;

    /** The field that is read next. */
    private enum Field {
        SIZE, HEAD, HEAD_TAGS, TRANSACTION, ACKS, TOPICS, NAME, PARTITIONS, INDEX, RECORDS, BATCH, PARTITION_TAGS,
        TOPIC_TAGS, END_TAGS, REST
    }

    private final int most;
    private final byte[] bytes = new byte[BATCH_HEAD];
    private Field field = Field.SIZE;
    private int need = 4;
    private int have = 0;
    private long skip = 0;
    private long left = 0;
    private int version;
    private long topics;
    private long partitions;
    private int records;
    private SSLException refused;

    GatewayFrames(int most) {
        this.most = most;
    }

    /** Throws if anything was refused before. */
    void check() throws SSLException {
        if (refused != null) {
            throw refused;
        }
    }

    /** Take the next bytes that were sent, as they are decrypted; throws from the first that must not reach Kafka on. */
    void take(ByteBuffer in) throws SSLException {
        check();
        while (in.hasRemaining()) {
            if (skip > 0) {
                int count = (int) Math.min(skip, in.remaining());
                in.position(in.position() + count);
                skip -= count;
                left -= count;
            } else {
                bytes[have++] = in.get();
                left -= field == Field.SIZE ? 0 : 1;
                if (need == VARINT ? bytes[have - 1] >= 0 || have == 5 : have == need) {
                    have = 0;
                    read();
                }
            }
            if (skip > left) {
                throw refuse("a request that ends in its middle");
            }
            if (skip == 0 && left == 0 && field != Field.SIZE) {
                if (field != Field.REST || have > 0) {
                    throw refuse("a request that ends in its middle");
                }
                await(Field.SIZE, 4);
            }
        }
    }

    private SSLException refuse(String what) {
        refused = new SSLException("not taken of a gateway: " + what);
        return refused;
    }

    private void await(Field next, int size) {
        field = next;
        need = size;
    }

    /** A length or a count: compact where the version is flexible, else of so many bytes. */
    private void awaitNumber(Field next, int size) {
        await(next, version >= FLEXIBLE ? VARINT : size);
    }

    private int number() throws SSLException {
        if (need != VARINT) {
            return need == 2 ? shortAt(0) : intAt(need - 4);
        }
        long value = 0;
        int at = 0;
        do {
            value |= (long) (bytes[at] & 127) << 7 * at;
        } while (bytes[at++] < 0 && at < 5);
        if (bytes[at - 1] < 0 || value > Integer.MAX_VALUE) {
            throw refuse("a number that is none");
        }
        return (int) value - 1;
    }

    private int intAt(int at) {
        return (bytes[at] & 255) << 24 | (bytes[at + 1] & 255) << 16 | (bytes[at + 2] & 255) << 8 | bytes[at + 3] & 255;
    }

    private short shortAt(int at) {
        return (short) ((bytes[at] & 255) << 8 | bytes[at + 1] & 255);
    }

    private void read() throws SSLException {
        switch (field) {
            case SIZE:
                size(intAt(0));
                break;
            case HEAD:
                head();
                break;
            case HEAD_TAGS:
                noTags();
                awaitNumber(Field.TRANSACTION, 2);
                break;
            case TRANSACTION:
                skip = Math.max(number(), 0);
                await(Field.ACKS, 6);
                break;
            case ACKS:
                awaitNumber(Field.TOPICS, 4);
                break;
            case TOPICS:
                topics = count();
                nextTopic();
                break;
            case NAME:
                skip = count();
                awaitNumber(Field.PARTITIONS, 4);
                break;
            case PARTITIONS:
                partitions = count();
                nextPartition();
                break;
            case INDEX:
                awaitNumber(Field.RECORDS, 4);
                break;
            case RECORDS:
                records(number());
                break;
            case BATCH:
                batch();
                break;
            case PARTITION_TAGS:
                noTags();
                nextPartition();
                break;
            case TOPIC_TAGS:
                noTags();
                nextTopic();
                break;
            default:
                noTags();
                end();
        }
    }

    private void size(int size) throws SSLException {
        if (size < 0 || size > most) {
            throw refuse("a request of " + size + " bytes (" + most + " at most)");
        }
        left = size;
        if (size < HEAD) { // Kafka says what it thinks of it
            end(size);
        } else {
            await(Field.HEAD, HEAD);
        }
    }

    private void head() throws SSLException {
        int key = shortAt(0);
        if (key != 0) {
            if (left + HEAD > MOST_OF_OTHERS) {
                throw refuse("a request " + key + " of " + (left + HEAD) + " bytes (" + MOST_OF_OTHERS + " at most)");
            }
            end(left);
            return;
        }
        version = shortAt(2);
        if (version < 3 || version > TOPIC_IDS) {
            throw refuse("version " + version + " of a request to produce (3 to " + TOPIC_IDS + " are known)");
        }
        skip = Math.max(shortAt(8), 0);
        if (version >= FLEXIBLE) {
            await(Field.HEAD_TAGS, VARINT);
        } else {
            await(Field.TRANSACTION, 2);
        }
    }

    private int count() throws SSLException {
        int count = number();
        if (count < 0) {
            throw refuse("a request to produce that lacks what it needs");
        }
        return count;
    }

    private void noTags() throws SSLException {
        if (number() != -1) {
            throw refuse("a request to produce with tagged fields, of which none are known");
        }
    }

    private void nextTopic() throws SSLException {
        if (topics-- > 0) {
            if (version >= TOPIC_IDS) {
                skip = 16;
                awaitNumber(Field.PARTITIONS, 4);
            } else {
                awaitNumber(Field.NAME, 2);
            }
        } else if (version >= FLEXIBLE) {
            await(Field.END_TAGS, VARINT);
        } else {
            end();
        }
    }

    private void nextPartition() throws SSLException {
        if (partitions-- > 0) {
            await(Field.INDEX, 4);
        } else if (version >= FLEXIBLE) {
            await(Field.TOPIC_TAGS, VARINT);
        } else {
            nextTopic();
        }
    }

    private void records(int length) throws SSLException {
        records = length;
        if (length >= SMALLEST_BATCH) {
            await(Field.BATCH, BATCH_HEAD);
        } else {
            skip = Math.max(length, 0);
            endOfPartition();
        }
    }

    private void batch() throws SSLException {
        if (bytes[16] != 2 || intAt(8) != records - 12) {
            throw refuse("records that are not one batch of format 2");
        }
        int codec = bytes[22] & 7;
        if (codec != UNPACKED && codec != SNAPPY) {
            String[] names = {"none", "gzip", "snappy", "lz4", "zstd"};
            throw refuse("records packed by " + (codec < names.length ? names[codec] : codec) + " (none or snappy)");
        }
        skip = records - BATCH_HEAD;
        endOfPartition();
    }

    private void endOfPartition() throws SSLException {
        if (version >= FLEXIBLE) {
            await(Field.PARTITION_TAGS, VARINT);
        } else {
            nextPartition();
        }
    }

    private void end() throws SSLException {
        if (left != skip) {
            throw refuse("a request to produce with " + (left - skip) + " bytes more than it needs");
        }
        end(skip);
    }

    private void end(long rest) {
        skip = rest;
        field = Field.REST;
        need = 0;
    }
}
