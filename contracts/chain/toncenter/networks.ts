/** A TON network as its zero state identifies it: no other network can have the same. */
export interface TonNetwork {
  name: string
  /** Config parameter 19. */
  globalId: number
  /** base64 hashes of the block before the first one. */
  zeroState: { rootHash: string; fileHash: string }
}

export const MAINNET: TonNetwork = {
  name: 'mainnet',
  globalId: -239,
  zeroState: {
    rootHash: 'F6OpKZKqvqeFp6CQmFomXNMfMj2EnaUSOXN+Mh+wVWk=',
    fileHash: 'XplPz01CXAps5qeSWUtxcyBfdAo5zVb1N979KLSKD24=',
  },
}

export const TESTNET: TonNetwork = {
  name: 'testnet',
  globalId: -3,
  zeroState: {
    rootHash: 'gj+B8wb/AmlPk1z1AhVI484rhrUpgSr2oSFIh56VoSg=',
    fileHash: 'Z+IKwYS54DmmJmesw/nAD5DzWadnOCMzee+kdgSYDOg=',
  },
}
