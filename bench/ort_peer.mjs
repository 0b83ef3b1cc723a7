// SPDX-License-Identifier: MIT
// ONNX Runtime's side of compare.py: one process for one ONNX file and thread count. Reads a line, runs, answers with the
// milliseconds of one call. Not meant to be started by hand: node ort_peer.mjs FOLDER MODEL.onnx BATCH IMAGE THREADS CALLS, with
// node_modules/onnxruntime-node in FOLDER.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const [folder, file, ...numbers] = process.argv.slice(2);
const [batch, image, threads, calls] = numbers.map(Number);
const require = createRequire(resolve(folder, 'package.json'));
const ort = require('onnxruntime-node');
const { version } = require('onnxruntime-node/package.json');

const session = await ort.InferenceSession.create(file, {
  intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
});
const pixels = Float32Array.from({ length: batch * 3 * image * image }, () => 2 * Math.random() - 1);
const feeds = { images: new ort.Tensor('float32', pixels, [batch, 3, image, image]) };
for (let i = 0; i < 3; ++i) await session.run(feeds);
console.log('ready', version);

for await (const line of createInterface({ input: process.stdin })) {
  const times = [];
  for (let i = 0; i < calls; ++i) {
    const start = performance.now();
    await session.run(feeds);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  console.log(times[calls >> 1]);
}
process.exit(0);
