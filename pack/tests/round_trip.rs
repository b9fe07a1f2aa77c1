//! Whatever was packed comes out again, byte for byte, however much of it is unpacked at a time.

use honeyhive_edge_pack::{pack, unpack};
use proptest::prelude::*;

/// A module by its outside: sections of any content, of which some are taken for code.
fn sections() -> impl Strategy<Value = Vec<u8>> {
    let section = (0..14_u8, prop::collection::vec(any::<u8>(), 0..300));
    prop::collection::vec(section, 0..6).prop_map(|sections| {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (id, content) in sections {
            // In two bytes, as LEB128 allows for what would fit into one.
            let length = [content.len() as u8 | 0x80, (content.len() >> 7) as u8];
            module.push(id);
            module.extend(length);
            module.extend(content);
        }
        module
    })
}

proptest! {
    #[test]
    fn any_bytes_come_out_again(bytes in prop::collection::vec(any::<u8>(), 0..2000), at_once in 1..3000_usize) {
        prop_assert_eq!(unpack(&pack(&bytes).unwrap(), at_once), bytes);
    }

    #[test]
    fn any_sections_come_out_again(module in sections(), at_once in 1..3000_usize) {
        prop_assert_eq!(unpack(&pack(&module).unwrap(), at_once), module);
    }
}

#[test]
fn what_repeats_itself_takes_next_to_nothing() {
    // Blocks in blocks, branches by table, numbers of many bytes: what moves the place in an instruction.
    let function = b"\x02\x40\x03\x40\x0e\x02\x00\x01\x00\x41\x80\x80\x04\x28\x02\x08\x1a\x0b\x0b\x10\xff\x01\x0b";
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let code: Vec<u8> =
        (0..400).flat_map(|_| [&[function.len() as u8 + 1, 0], &function[..]].concat()).collect();
    module.push(10);
    let length = code.len() + 2;
    module.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
    module.extend([0x90, 0x03]);
    module.extend(&code);
    let packed = pack(&module).unwrap();
    assert_eq!(unpack(&packed, 4096), module);
    assert!(packed.len() * 20 < module.len(), "{} bytes of {}", packed.len(), module.len());
}

#[test]
fn what_a_page_has_no_room_for_is_refused() {
    let refusal = pack(&vec![0; 300_000]).unwrap_err();
    assert!(refusal.contains("300000 bytes"), "{refusal}");
}
