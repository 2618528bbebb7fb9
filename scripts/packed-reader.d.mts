export declare function installPackedReader(folder: string): void;
