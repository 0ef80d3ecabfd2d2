import { expect, it } from '@jest/globals';
import { onCleanup } from '../../support/cleanup.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { driverFor } from '../../support/kafka-driver.js';

const TOPIC = 'orders';

it('a question for a topic that no broker answers may be asked again, as at boot', async () => {
  const kafka = await startEmbeddedKafka({ topics: [{ topic: TOPIC, partitions: 3 }] });
  const admin = driverFor(kafka.brokers).admin();
  onCleanup(() => admin.close());
  const asked: number[] = [];
  kafka.on(
    'Metadata',
    (_, control) => {
      // The first is kafkajs's own, for what it keeps in mind; the second is the question.
      const place = asked.push(control.nodeId);
      return place === 1 ? control.pass() : control.closeConnection();
    },
    { times: 2, when: ({ topics }) => topics?.includes(TOPIC) === true },
  );

  await expect(admin.describeTopics([TOPIC])).rejects.toMatchObject({
    kind: 'retryable',
    message: `looking up the topic "${TOPIC}" failed: no broker answered`,
  });
  expect(asked).toHaveLength(2);
  const answer = await eventually(() => admin.describeTopics([TOPIC]).catch(() => null));
  expect(answer).toMatchObject([{ topic: TOPIC, partitions: 3 }]);
});
