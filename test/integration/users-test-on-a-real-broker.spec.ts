import { it } from '@jest/globals';
import { describeRealKafka } from '../support/real-kafka.js';
import { spiesOnAShop } from '../support/spied-shop.js';

describeRealKafka("a user's test that is given a real broker", (brokers) => {
  it('tells what became of every event', () => spiesOnAShop({ brokers }));
});
