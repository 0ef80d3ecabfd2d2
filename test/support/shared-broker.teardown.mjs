/** After the last integration test: stops the broker that `shared-broker.setup.mjs` started. */
export default async function stopSharedBroker() {
  await globalThis.sharedKafkaBroker?.stop();
}
