/**
 * Which folder may import which: the picture of lib/README.md as rules. Imports point one way,
 * `contracts` <- ports <- `consuming`/`publishing`/`failure` <- `kafka-events.module.ts`,
 * so that each part can be read and tested without those built on it.
 */
const errors = '^lib/kafka-events\\.errors\\.ts$';
const errorFiles = '^lib/errors/';
const module_ = '^lib/kafka-events\\.module\\.ts$';
/** Plain words everything may use: files of types and constants that import nothing. */
const vocabulary = ['^lib/kafka/records\\.ts$', '^lib/failure/dead-letter-reason\\.ts$'];
const postgres = ['^lib/postgres/', '^lib/(idempotency|legacy|outbox|views)/postgres/'];
const kafkajsDriver = '^lib/kafka/drivers/kafkajs/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle between decorated classes is a ReferenceError when the package is loaded.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere hides the edge the other rules should judge.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'lib-stands-alone',
      comment: 'What is published depends on nothing that is not.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(test|sample-app|bench)/' },
    },
    {
      name: 'contracts-at-the-bottom',
      comment: 'What an event is does not depend on how it travels.',
      severity: 'error',
      from: { path: '^lib/contracts/' },
      to: { path: '^lib/', pathNot: ['^lib/contracts/', errors, ...vocabulary] },
    },
    {
      name: 'vocabulary-imports-nothing',
      comment: 'What everything may use must not bring anything along.',
      severity: 'error',
      from: { path: vocabulary },
      to: {},
    },
    {
      name: 'errors-at-the-bottom',
      comment: 'Every part throws them, so they import no part.',
      severity: 'error',
      from: { path: [errors, errorFiles] },
      to: { path: '^lib/', pathNot: [errorFiles, '^lib/contracts/', ...vocabulary] },
    },
    {
      name: 'errors-through-their-door',
      comment: "How they are divided among files is nobody else's affair.",
      severity: 'error',
      from: { path: '^lib/', pathNot: [errors, errorFiles] },
      to: { path: errorFiles },
    },
    {
      name: 'ports-know-no-adapter',
      comment: 'A port names what it needs in contracts and record types, never who provides it.',
      severity: 'error',
      from: {
        path: [
          '^lib/kafka/driver\\.ts$',
          '^lib/idempotency/idempotency-store\\.ts$',
          '^lib/legacy/cursor-store\\.ts$',
          '^lib/views/view-store\\.ts$',
          '^lib/observability/',
        ],
      },
      to: {
        path: '^lib/',
        pathNot: [
          ...['^lib/contracts/', '^lib/kafka/driver\\.ts$', '^lib/observability/', errors],
          ...vocabulary,
        ],
      },
    },
    {
      name: 'core-knows-no-module',
      comment: 'Only the root assembles: nothing below it reaches up.',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/[^/]+\\.ts$', '^lib/(testing|cli|nest-transport)/'] },
      to: { path: module_ },
    },
    {
      name: 'core-knows-no-driver',
      comment: 'The driver is chosen in one place, so that another client can take its place.',
      severity: 'error',
      from: { path: '^lib/', pathNot: [kafkajsDriver, module_] },
      to: { path: kafkajsDriver },
    },
    {
      name: 'kafkajs-in-its-driver',
      comment: 'kafkajs types and errors end at the driver port.',
      severity: 'error',
      from: { path: '^lib/', pathNot: kafkajsDriver },
      to: { path: '(^|/)node_modules/kafkajs/' },
    },
    {
      name: 'vendors-behind-their-entry-points',
      comment: 'Whoever does not import the entry point needs none of its packages.',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/idempotency/redis/', '^lib/redis/'] },
      to: { path: ['^lib/idempotency/redis/', '^lib/redis/', '(^|/)node_modules/ioredis/'] },
    },
    {
      name: 'postgres-behind-its-entry-point',
      comment: 'The same: what runs SQL is loaded by those who ask for it.',
      severity: 'error',
      from: { path: '^lib/', pathNot: postgres },
      to: { path: [...postgres, '(^|/)node_modules/(@types/)?pg/'] },
    },
    {
      name: 'grpc-behind-its-entry-point',
      comment: 'Whoever calls services in another way needs none of its packages.',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/fallback/(grpc|delivery)/', '^lib/grpc/'] },
      to: { path: ['^lib/fallback/(grpc|delivery)/', '^lib/grpc/', '(^|/)node_modules/@grpc/'] },
    },
    {
      name: 'nest-transport-stands-on-the-engine',
      comment: 'The engine serves controllers of Nest without knowing of them.',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/[^/]+\\.ts$', '^lib/nest-transport/'] },
      to: { path: '^lib/nest-transport/' },
    },
    {
      name: 'views-stand-on-the-engine',
      comment: 'A projector is a handler like any other: the engine knows nothing of views.',
      severity: 'error',
      from: {
        path: '^lib/(consuming|contracts|failure|idempotency|kafka|observability|publishing|scaling)/',
      },
      to: { path: '^lib/views/' },
    },
    {
      name: 'testing-is-for-users',
      comment: 'The test kit is loaded by tests alone.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/testing/' },
      to: { path: '^lib/testing/' },
    },
    {
      name: 'published-imports-are-declared',
      comment: 'A dev dependency imported by lib is missing where the package is installed.',
      severity: 'error',
      from: { path: '^lib/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm-peer', 'npm-optional'],
      },
    },
  ],
  options: {
    includeOnly: '^(lib|test|sample-app|bench|node_modules)/',
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};
