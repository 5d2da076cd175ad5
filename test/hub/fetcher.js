/** @file A process that downloads one file, for the test of two processes at once: `node fetcher.js DOWNLOAD_MODULE OPTIONS`. */
import { argv } from 'node:process';

const { download } = await import(argv[2]);
await download(JSON.parse(argv[3]));
