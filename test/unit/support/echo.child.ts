import { createInterface } from 'node:readline';

console.log(`ready: ${process.env.GREETING ?? ''} ${process.argv[2] ?? ''}`);
createInterface({ input: process.stdin }).on('line', (line) => {
  const exitCode = /^exit (\d+)$/.exec(line)?.[1];
  if (exitCode !== undefined) process.exit(Number(exitCode));
  if (line === 'throw') throw new Error('thrown');
  console.log(`echo ${line}`);
});
