package meterwarden.kafka;

import java.io.IOException;
import java.security.KeyStore;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.SSLEngine;
import org.apache.kafka.common.security.auth.SslEngineFactory;
import org.apache.kafka.common.security.ssl.DefaultSslEngineFactory;

/**
 * TLS as Kafka's own factory makes it, for the listener of gateways: what a connection sends is looked at between its
 * decryption and Kafka (`GatewayFrames`).
 *
 * <p>Setting: `meterwarden.gateways.request.bytes`, the largest request to produce.
 */
public final class GatewayEngineFactory implements SslEngineFactory {
    private static final String MOST = "meterwarden.gateways.request.bytes";

    private final DefaultSslEngineFactory usual = new DefaultSslEngineFactory();
    private int most;

    @Override
    public void configure(Map<String, ?> settings) {
        Object given = settings.get(MOST);
        if (given == null) {
            throw new IllegalArgumentException(MOST + " must be set for a listener of gateways");
        }
        most = Integer.parseInt(given.toString());
        usual.configure(settings);
    }

    @Override
    public SSLEngine createServerSslEngine(String host, int port) {
        return new GatewayEngine(usual.createServerSslEngine(host, port), new GatewayFrames(most), host, port);
    }

    @Override
    public SSLEngine createClientSslEngine(String host, int port, String identification) {
        return usual.createClientSslEngine(host, port, identification);
    }

    @Override
    public boolean shouldBeRebuilt(Map<String, Object> settings) {
        return usual.shouldBeRebuilt(settings);
    }

    @Override
    public Set<String> reconfigurableConfigs() {
        return usual.reconfigurableConfigs();
    }

    @Override
    public KeyStore keystore() {
        return usual.keystore();
    }

    @Override
    public KeyStore truststore() {
        return usual.truststore();
    }

    @Override
    public void close() throws IOException {
        usual.close();
    }
}
