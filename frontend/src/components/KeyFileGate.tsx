// When this browser does not hold a dataset's key: the owner loads the key file they saved.
import { Alert, Button, FileInput, Group, PasswordInput, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import type { DatasetVersion } from '@/lib/api/types';
import { restoreKeyFile } from '@/lib/content-keys';
import { missingKeys } from '@/lib/grant';
import { errorText, Loading } from './states';

export interface KeyFileGateProps {
  owner: string;
  versions: readonly Pick<DatasetVersion, 'version' | 'manifest_hash' | 'ciphertext_root'>[];
  children: ReactNode;
}

/** Shows its children once every version's key is in this browser. */
export function KeyFileGate({ owner, versions, children }: KeyFileGateProps) {
  const hashes = versions.map((version) => version.manifest_hash).join();
  const missing = useQuery({ queryKey: ['missing-keys', owner, hashes], queryFn: () => missingKeys(owner, versions), staleTime: Infinity });
  if (missing.isPending) return <Loading what="your keys" lines={1} />;
  if (!missing.data?.length) return <>{children}</>;
  return <LoadKeyFile owner={owner} versions={missing.data.map((version) => version.version)} />;
}

function LoadKeyFile({ owner, versions }: { owner: string; versions: number[] }) {
  const queries = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [passphrase, setPassphrase] = useState('');
  const [error, setError] = useState<unknown>(null);
  async function load() {
    if (!file) return;
    setError(null);
    try {
      await restoreKeyFile(await file.text(), passphrase, owner);
      await queries.invalidateQueries({ queryKey: ['missing-keys'] });
    } catch (reason) {
      setError(reason);
    }
  }
  return (
    <Alert color="amber" variant="light" title="This browser does not hold the key of this dataset">
      <Stack gap="sm">
        <Text size="sm">
          To let a worker in, your browser wraps the dataset&apos;s key for it. Load the key file you saved when you registered the data (version {versions.join(', ')}). The file is read here and
          sent nowhere.
        </Text>
        <Group align="flex-end">
          <FileInput label="Key file" placeholder="Choose the file" accept="application/json,.json" value={file} onChange={setFile} w={220} />
          <PasswordInput label="Passphrase, if it has one" value={passphrase} onChange={(event) => setPassphrase(event.currentTarget.value)} w={220} autoComplete="off" />
          <Button disabled={!file} onClick={() => void load()}>
            Load the key
          </Button>
        </Group>
        {error !== null && (
          <Text size="sm" c="red" role="alert">
            {errorText(error)}
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
