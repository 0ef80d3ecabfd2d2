/** The stock service as the demo's own: it ends when the demo does, in whatever way. */
process.on('disconnect', () => process.exit());
await import('../stock-service/main.js');
process.send?.('listening');
