//! Who somebody on the bus is: the NAME (SAE J1939-81, 4.1.1).

/// 64 bits. The smaller number has the better right to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub u64);

impl Name {
    /// Of an off-board diagnostic-service tool (industry group 0, vehicle system 127, function 129) that takes any address;
    /// `identity` (21 bits) tells units of one maker apart, `manufacturer` (11 bits) is the maker's number with SAE.
    pub fn tool(manufacturer: u16, identity: u32) -> Name {
        let low = u64::from(identity & 0x1F_FFFF) | (u64::from(manufacturer & 0x7FF) << 21);
        Name(low | (129 << 40) | (127 << 49) | (1 << 63))
    }

    /// Whether it will take another address when its own is contested.
    pub fn arbitrary_address(self) -> bool {
        self.field(63, 1) == 1
    }

    /// 0 global, 1 on-highway, 2 agriculture and forestry, 3 construction, 4 marine, 5 industrial.
    pub fn industry_group(self) -> u8 {
        self.field(60, 3) as u8
    }

    /// Which of several systems of its kind.
    pub fn vehicle_system_instance(self) -> u8 {
        self.field(56, 4) as u8
    }

    /// Of the industry group (tractor, trailer; 127 not told).
    pub fn vehicle_system(self) -> u8 {
        self.field(49, 7) as u8
    }

    /// What it does (0 engine, 3 transmission; 255 not told).
    pub fn function(self) -> u8 {
        self.field(40, 8) as u8
    }

    /// Which of several that do it.
    pub fn function_instance(self) -> u8 {
        self.field(35, 5) as u8
    }

    /// Which of several ECUs that do it together.
    pub fn ecu_instance(self) -> u8 {
        self.field(32, 3) as u8
    }

    /// The maker's number with SAE.
    pub fn manufacturer(self) -> u16 {
        self.field(21, 11) as u16
    }

    /// The maker's number for it.
    pub fn identity(self) -> u32 {
        self.field(0, 21) as u32
    }

    fn field(self, from: u32, bits: u32) -> u64 {
        (self.0 >> from) & ((1 << bits) - 1)
    }
}
