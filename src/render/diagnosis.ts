/** @file What came of an ascent (stand-in). */
export { diagnoses, type Diagnosis } from './ascend.ts';
