package org.xerial.snappy;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/**
 * What Kafka reads snappy by, in the place of the class of this name in snappy-java: that one makes room for whatever
 * length a chunk states, so that a message of a hundred bytes can ask for two gigabytes. Here a length is believed up to
 * what so many bytes can hold at all (an element of three bytes gives 64), and up to 64 MiB.
 *
 * <p>Formats: xerial's frames (a header, then chunks that say how long they are) and one bare block.
 */
public class SnappyInputStream extends InputStream {
    private static final byte[] MAGIC = {(byte) 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
    private static final int MOST = 64 << 20;
    private static final int RATIO = 22;

    private final InputStream in;
    private final boolean framed;
    private byte[] plain = new byte[0];
    private int at = 0;
    private boolean ended = false;

    public SnappyInputStream(InputStream in) throws IOException {
        this.in = in;
        byte[] head = in.readNBytes(16);
        framed = head.length >= 16 && isMagic(head);
        if (!framed) {
            ended = true;
            if (head.length > 0) {
                byte[] rest = in.readNBytes(MOST);
                byte[] block = java.util.Arrays.copyOf(head, head.length + rest.length);
                System.arraycopy(rest, 0, block, head.length, rest.length);
                unpack(block);
            }
        }
    }

    private static boolean isMagic(byte[] head) {
        return java.util.Arrays.equals(head, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
    }

    private void unpack(byte[] block) throws IOException {
        int length = Snappy.uncompressedLength(block, 0, block.length);
        if (length < 0 || length > MOST || length > (long) RATIO * block.length) {
            throw new IOException("a chunk of " + block.length + " bytes states a length of " + length);
        }
        byte[] unpacked = new byte[length];
        Snappy.uncompress(block, 0, block.length, unpacked, 0);
        plain = unpacked;
        at = 0;
    }

    /** Whether there are bytes to give. */
    private boolean more() throws IOException {
        while (at >= plain.length) {
            if (ended) {
                return false;
            }
            byte[] size = in.readNBytes(4);
            if (size.length == 0) {
                ended = true;
            } else if (size.length < 4) {
                throw new EOFException("a chunk's length is cut off");
            } else if (size[0] == MAGIC[0] && size[1] == MAGIC[1] && size[2] == MAGIC[2] && size[3] == MAGIC[3]) {
                in.readNBytes(12); // another stream begins
            } else {
                int stated = (size[0] & 255) << 24 | (size[1] & 255) << 16 | (size[2] & 255) << 8 | size[3] & 255;
                if (stated < 0 || stated > MOST) {
                    throw new IOException("a chunk states a size of " + stated);
                }
                byte[] chunk = in.readNBytes(stated); // grows with what is there
                if (chunk.length < stated) {
                    throw new EOFException("a chunk is cut off");
                }
                unpack(chunk);
            }
        }
        return true;
    }

    @Override
    public int read() throws IOException {
        return more() ? plain[at++] & 255 : -1;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (!more()) {
            return -1;
        }
        int count = Math.min(length, plain.length - at);
        System.arraycopy(plain, at, into, offset, count);
        at += count;
        return count;
    }

    @Override
    public int available() {
        return plain.length - at;
    }

    @Override
    public void close() throws IOException {
        plain = new byte[0];
        at = 0;
        ended = true;
        in.close();
    }
}
