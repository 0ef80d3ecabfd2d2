/**
 * Preloaded into a Node process (`--import`), writes a line of JSON for each module that anything
 * imports or requires: what it is and who asked. Into the file that RECORD_IMPORTS_TO names: a full
 * pipe would refuse it.
 */
import { appendFileSync } from 'node:fs';
import Module, { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

function record(url, importer) {
  appendFileSync(process.env.RECORD_IMPORTS_TO, `${JSON.stringify({ url, importer })}\n`);
}

/** Node's hook for `import`, called in a thread of its own. */
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  record(found.url, context.parentURL);
  return found;
}

if (isMainThread) {
  register(import.meta.url);

  // `require` passes by the hook above.
  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, ...rest) {
    const file = resolveFilename.call(this, request, parent, ...rest);
    if (!Module.isBuiltin(file)) {
      record(pathToFileURL(file).href, parent?.filename && pathToFileURL(parent.filename).href);
    }
    return file;
  };
}
