import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Confluent's Parallel Consumer in one run of hot-keys.ts: prints "ready", then one line of JSON.
 *
 * Arguments: brokers, topic, group, records, milliseconds of work, concurrency, one in so many fails.
 */
public final class ParallelConsumerBench {
  /** As long as our own first retry waits. */
  private static final Duration RETRY = Duration.ofMillis(100);

  public static void main(String[] args) throws InterruptedException {
    String topic = args[1];
    int records = Integer.parseInt(args[3]);
    long workMs = Long.parseLong(args[4]);
    int failEvery = Integer.parseInt(args[6]);

    KafkaConsumer<String, byte[]> consumer = new KafkaConsumer<>(settings(args[0], args[2]));
    ParallelStreamProcessor<String, byte[]> processor =
        ParallelStreamProcessor.createEosStreamProcessor(
            ParallelConsumerOptions.<String, byte[]>builder()
                .consumer(consumer)
                .ordering(ProcessingOrder.KEY)
                .maxConcurrency(Integer.parseInt(args[5]))
                .retryDelayProvider(record -> RETRY)
                .build());
    processor.subscribe(Collections.singletonList(topic), new Ready());

    List<String> latencies = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch left = new CountDownLatch(records);
    AtomicLong startedAt = new AtomicLong();
    processor.poll(
        context -> {
          startedAt.compareAndSet(0, System.nanoTime());
          sleep(workMs);
          var record = context.getSingleRecord().getConsumerRecord();
          // The event id ends with the number of the record.
          String id = new String(record.headers().lastHeader("event-id").value(), StandardCharsets.UTF_8);
          int number = Integer.parseInt(id.substring(id.length() - 12));
          boolean first = context.getSingleRecord().getNumberOfFailedAttempts() == 0;
          if (failEvery > 0 && number % failEvery == 0 && first) {
            throw new IllegalStateException("the one in so many");
          }
          String key = record.key().substring("order-".length());
          long tookMs = System.currentTimeMillis() - record.timestamp();
          latencies.add("[" + key + "," + tookMs + "," + number + "]");
          left.countDown();
        });
    left.await();
    long ms = (System.nanoTime() - startedAt.get()) / 1_000_000;
    System.out.println("{\"ms\":" + ms + ",\"latencies\":[" + String.join(",", latencies) + "]}");
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static Properties settings(String brokers, String group) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("group.id", group);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    return settings;
  }

  private static void sleep(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }

  /** Tells that partitions have been assigned. */
  private static final class Ready implements ConsumerRebalanceListener {
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      System.out.println("ready");
    }
  }
}
