/** @file The package's version, which every picture names. A test holds it equal to package.json's. */
export const VERSION = '0.2.0';
