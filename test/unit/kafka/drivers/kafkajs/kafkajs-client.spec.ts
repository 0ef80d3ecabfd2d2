import { expect, it } from '@jest/globals';
import {
  createKafkaJsClient,
  retryOptions,
} from '../../../../../lib/kafka/drivers/kafkajs/kafkajs-client.js';
import { connectionTo } from '../../../../support/kafka-driver.js';
import { rejectionOf } from '../../../../support/thrown-by.js';

it('does not try again once it is closed: that would keep the process for seconds', async () => {
  // A port of the range that nobody is given: nothing listens there.
  const connection = connectionTo(['127.0.0.1:1'], { retries: 5 });
  const client = createKafkaJsClient(connection, () => undefined);
  const admin = client.kafka.admin({ retry: retryOptions(connection) });
  const connecting = rejectionOf(() => admin.connect());
  client.abandon();
  expect(await connecting).toMatchObject({ name: 'KafkaJSNonRetriableError' });
});
