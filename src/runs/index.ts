/** @file Folders of results: many pictures, resumed and recorded, by many runs. */
export { writeWhole } from './files.ts';
export type { Entry, PictureEntry, SetEntry } from './journal.ts';
export type { FoundManifest, Manifest, ManifestFilter } from './manifest.ts';
export { folderName } from './names.ts';
export type { PictureRecord } from '../render/record.ts';
export { readResults, type ResultPicture, type Results, type ResultSet } from './results.ts';
export { type PictureEvent, type Render, run, type RunEvent, type RunOptions } from './run.ts';
export { type Series, seriesOf, seriesOfObjective } from './series.ts';
