//! The signals that Telltale knows, by their paths in the Vehicle Signal Specification (COVESA VSS 5).
//!
//! VSS knows no rear occupant, so three paths are an overlay of our own: `Vehicle.Cabin.RearOccupant.IsDetected` (a
//! direct sensor: radar, UWB, camera, CO2, a child seat's own), `Vehicle.Cabin.RearOccupant.IsMoving`, and
//! `Vehicle.Cabin.IsLocked` where the car tells only of the whole. VSS has two rows of doors and seats until somebody adds
//! one: here are three.
//!
//! Units are those of VSS 5. A path means here what it means there: VSS 6 has `Vehicle.TraveledDistance` in metres, and a
//! profile that feeds it has a `scale`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What values a signal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// `true` or `false`.
    Bool,
    /// A number in the signal's unit.
    Number,
    /// One of some words, in capitals.
    Word,
}

macro_rules! signals {
    ($($name:ident = $path:literal, $datatype:ident, $unit:literal $(, [$($word:literal),*])?;)*) => {
        /// One leaf of the specification. Units are part of the definition: see [`Signal::unit`].
        #[allow(missing_docs, reason = "the path says it")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Signal {
            $($name,)*
        }

        impl Signal {
            /// Every signal, in order of its discriminant.
            pub const ALL: &'static [Signal] = &[$(Signal::$name,)*];

            /// The full path.
            pub const fn path(self) -> &'static str {
                match self { $(Signal::$name => $path,)* }
            }

            /// What values it has.
            pub const fn datatype(self) -> Datatype {
                match self { $(Signal::$name => Datatype::$datatype,)* }
            }

            /// The unit of its numbers as VSS spells it, empty where there is none.
            pub const fn unit(self) -> &'static str {
                match self { $(Signal::$name => $unit,)* }
            }

            /// The words that a signal of words may have; none for others.
            pub const fn words(self) -> &'static [&'static str] {
                match self { $(Signal::$name => &[$($($word),*)?],)* }
            }
        }
    };
}

/// Parts of paths that versions of VSS other than 5 spell otherwise.
const RENAMED: [(&str, &str); 12] = [
    (".OccupancyStatus", ".IsOccupied"),
    (".Pos1.", ".DriverSide."),
    (".Pos2.", ".Middle."),
    (".Pos3.", ".PassengerSide."),
    (".CombustionEngine.ECT", ".CombustionEngine.EngineCoolant.Temperature"),
    (".CombustionEngine.EOT", ".CombustionEngine.EngineOil.Temperature"),
    (".CombustionEngine.EngineOilLevel", ".CombustionEngine.EngineOil.Level"),
    (".CombustionEngine.OilLifeRemaining", ".CombustionEngine.EngineOil.LifeRemaining"),
    (".ElectricMotor.CoolantTemperature", ".ElectricMotor.EngineCoolant.Temperature"),
    (".Charging.IsChargePortFlapOpen", ".Charging.ChargingPort.AnyPosition.IsFlapOpen"),
    (".Charging.IsChargingCableConnected", ".Charging.ChargingPort.AnyPosition.IsChargingCableConnected"),
    (".Charging.IsChargingCableLocked", ".Charging.ChargingPort.AnyPosition.IsChargingCableLocked"),
];

signals! {
    // The vehicle.
    Speed = "Vehicle.Speed", Number, "km/h";
    TraveledDistance = "Vehicle.TraveledDistance", Number, "km";
    TraveledDistanceSinceStart = "Vehicle.TraveledDistanceSinceStart", Number, "km";
    TripMeterReading = "Vehicle.TripMeterReading", Number, "km";
    TripDuration = "Vehicle.TripDuration", Number, "s";
    AverageSpeed = "Vehicle.AverageSpeed", Number, "km/h";
    IsMoving = "Vehicle.IsMoving", Bool, "";
    IsBrokenDown = "Vehicle.IsBrokenDown", Bool, "";
    AccelerationLongitudinal = "Vehicle.Acceleration.Longitudinal", Number, "m/s^2";
    AccelerationLateral = "Vehicle.Acceleration.Lateral", Number, "m/s^2";
    AccelerationVertical = "Vehicle.Acceleration.Vertical", Number, "m/s^2";
    AngularVelocityRoll = "Vehicle.AngularVelocity.Roll", Number, "degrees/s";
    AngularVelocityPitch = "Vehicle.AngularVelocity.Pitch", Number, "degrees/s";
    AngularVelocityYaw = "Vehicle.AngularVelocity.Yaw", Number, "degrees/s";
    CurrentOverallWeight = "Vehicle.CurrentOverallWeight", Number, "kg";
    TrailerIsConnected = "Vehicle.Trailer.IsConnected", Bool, "";
    LowVoltageSystemState = "Vehicle.LowVoltageSystemState", Word, "", ["UNDEFINED", "LOCK", "OFF", "ACC", "ON", "START"];
    LowVoltageBatteryCurrentVoltage = "Vehicle.LowVoltageBattery.CurrentVoltage", Number, "V";
    LowVoltageBatteryCurrentCurrent = "Vehicle.LowVoltageBattery.CurrentCurrent", Number, "A";
    LowVoltageBatteryNominalVoltage = "Vehicle.LowVoltageBattery.NominalVoltage", Number, "V";
    ExteriorAirTemperature = "Vehicle.Exterior.AirTemperature", Number, "celsius";
    ExteriorHumidity = "Vehicle.Exterior.Humidity", Number, "percent";
    ExteriorLightIntensity = "Vehicle.Exterior.LightIntensity", Number, "percent";
    ServiceIsServiceDue = "Vehicle.Service.IsServiceDue", Bool, "";
    ServiceDistanceToService = "Vehicle.Service.DistanceToService", Number, "km";
    ServiceTimeToService = "Vehicle.Service.TimeToService", Number, "s";

    // Powertrain.
    PowertrainRange = "Vehicle.Powertrain.Range", Number, "m";
    PowertrainTimeRemaining = "Vehicle.Powertrain.TimeRemaining", Number, "s";
    PowertrainAccumulatedBrakingEnergy = "Vehicle.Powertrain.AccumulatedBrakingEnergy", Number, "kWh";
    PowertrainCombustionEngineIsRunning = "Vehicle.Powertrain.CombustionEngine.IsRunning", Bool, "";
    PowertrainCombustionEngineSpeed = "Vehicle.Powertrain.CombustionEngine.Speed", Number, "rpm";
    PowertrainCombustionEngineEngineHours = "Vehicle.Powertrain.CombustionEngine.EngineHours", Number, "h";
    PowertrainCombustionEngineIdleHours = "Vehicle.Powertrain.CombustionEngine.IdleHours", Number, "h";
    PowertrainCombustionEngineEngineCoolantTemperature = "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", Number, "celsius";
    PowertrainCombustionEngineEngineCoolantLevel = "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Level", Word, "", ["CRITICALLY_LOW", "LOW", "NORMAL"];
    PowertrainCombustionEngineEngineOilTemperature = "Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature", Number, "celsius";
    PowertrainCombustionEngineEngineOilLevel = "Vehicle.Powertrain.CombustionEngine.EngineOil.Level", Word, "", ["CRITICALLY_LOW", "LOW", "NORMAL", "HIGH", "CRITICALLY_HIGH"];
    PowertrainCombustionEngineEngineOilLifeRemaining = "Vehicle.Powertrain.CombustionEngine.EngineOil.LifeRemaining", Number, "s";
    PowertrainCombustionEngineEOP = "Vehicle.Powertrain.CombustionEngine.EOP", Number, "kPa";
    PowertrainCombustionEngineMAP = "Vehicle.Powertrain.CombustionEngine.MAP", Number, "kPa";
    PowertrainCombustionEngineMAF = "Vehicle.Powertrain.CombustionEngine.MAF", Number, "g/s";
    PowertrainCombustionEngineTPS = "Vehicle.Powertrain.CombustionEngine.TPS", Number, "percent";
    PowertrainCombustionEnginePower = "Vehicle.Powertrain.CombustionEngine.Power", Number, "kW";
    PowertrainCombustionEngineTorque = "Vehicle.Powertrain.CombustionEngine.Torque", Number, "Nm";
    PowertrainCombustionEngineDieselExhaustFluidLevel = "Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Level", Number, "percent";
    PowertrainCombustionEngineDieselExhaustFluidRange = "Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Range", Number, "m";
    PowertrainCombustionEngineDieselExhaustFluidIsLevelLow = "Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.IsLevelLow", Bool, "";
    PowertrainCombustionEngineDieselParticulateFilterInletTemperature = "Vehicle.Powertrain.CombustionEngine.DieselParticulateFilter.InletTemperature", Number, "celsius";
    PowertrainCombustionEngineDieselParticulateFilterOutletTemperature = "Vehicle.Powertrain.CombustionEngine.DieselParticulateFilter.OutletTemperature", Number, "celsius";
    PowertrainCombustionEngineDieselParticulateFilterDeltaPressure = "Vehicle.Powertrain.CombustionEngine.DieselParticulateFilter.DeltaPressure", Number, "Pa";
    PowertrainElectricMotorSpeed = "Vehicle.Powertrain.ElectricMotor.Speed", Number, "rpm";
    PowertrainElectricMotorTemperature = "Vehicle.Powertrain.ElectricMotor.Temperature", Number, "celsius";
    PowertrainElectricMotorEngineCoolantTemperature = "Vehicle.Powertrain.ElectricMotor.EngineCoolant.Temperature", Number, "celsius";
    PowertrainElectricMotorEngineCoolantLevel = "Vehicle.Powertrain.ElectricMotor.EngineCoolant.Level", Word, "", ["CRITICALLY_LOW", "LOW", "NORMAL"];
    PowertrainElectricMotorPower = "Vehicle.Powertrain.ElectricMotor.Power", Number, "kW";
    PowertrainElectricMotorTorque = "Vehicle.Powertrain.ElectricMotor.Torque", Number, "Nm";
    PowertrainElectricMotorTimeInUse = "Vehicle.Powertrain.ElectricMotor.TimeInUse", Number, "h";
    PowertrainTransmissionCurrentGear = "Vehicle.Powertrain.Transmission.CurrentGear", Number, "";
    PowertrainTransmissionSelectedGear = "Vehicle.Powertrain.Transmission.SelectedGear", Number, "";
    PowertrainTransmissionIsParkLockEngaged = "Vehicle.Powertrain.Transmission.IsParkLockEngaged", Bool, "";
    PowertrainTransmissionIsLowRangeEngaged = "Vehicle.Powertrain.Transmission.IsLowRangeEngaged", Bool, "";
    PowertrainTransmissionGearChangeMode = "Vehicle.Powertrain.Transmission.GearChangeMode", Word, "", ["MANUAL", "AUTOMATIC"];
    PowertrainTransmissionPerformanceMode = "Vehicle.Powertrain.Transmission.PerformanceMode", Word, "", ["NORMAL", "SPORT", "ECONOMY", "SNOW", "RAIN"];
    PowertrainTransmissionTemperature = "Vehicle.Powertrain.Transmission.Temperature", Number, "celsius";
    PowertrainTransmissionClutchEngagement = "Vehicle.Powertrain.Transmission.ClutchEngagement", Number, "percent";
    PowertrainTransmissionClutchWear = "Vehicle.Powertrain.Transmission.ClutchWear", Number, "percent";
    PowertrainTransmissionTravelledDistance = "Vehicle.Powertrain.Transmission.TravelledDistance", Number, "km";
    PowertrainFuelSystemAbsoluteLevel = "Vehicle.Powertrain.FuelSystem.AbsoluteLevel", Number, "l";
    PowertrainFuelSystemRelativeLevel = "Vehicle.Powertrain.FuelSystem.RelativeLevel", Number, "percent";
    PowertrainFuelSystemIsFuelLevelLow = "Vehicle.Powertrain.FuelSystem.IsFuelLevelLow", Bool, "";
    PowertrainFuelSystemRange = "Vehicle.Powertrain.FuelSystem.Range", Number, "m";
    PowertrainFuelSystemTimeRemaining = "Vehicle.Powertrain.FuelSystem.TimeRemaining", Number, "s";
    PowertrainFuelSystemInstantConsumption = "Vehicle.Powertrain.FuelSystem.InstantConsumption", Number, "l/100km";
    PowertrainFuelSystemAverageConsumption = "Vehicle.Powertrain.FuelSystem.AverageConsumption", Number, "l/100km";
    PowertrainFuelSystemConsumptionSinceStart = "Vehicle.Powertrain.FuelSystem.ConsumptionSinceStart", Number, "l";
    PowertrainFuelSystemIsEngineStopStartEnabled = "Vehicle.Powertrain.FuelSystem.IsEngineStopStartEnabled", Bool, "";
    PowertrainFuelSystemIsFuelPortFlapOpen = "Vehicle.Powertrain.FuelSystem.IsFuelPortFlapOpen", Bool, "";

    // The traction battery.
    PowertrainTractionBatteryIsPowerConnected = "Vehicle.Powertrain.TractionBattery.IsPowerConnected", Bool, "";
    PowertrainTractionBatteryIsGroundConnected = "Vehicle.Powertrain.TractionBattery.IsGroundConnected", Bool, "";
    PowertrainTractionBatteryStateOfChargeCurrent = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", Number, "percent";
    PowertrainTractionBatteryStateOfChargeDisplayed = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", Number, "percent";
    PowertrainTractionBatteryStateOfChargeCurrentEnergy = "Vehicle.Powertrain.TractionBattery.StateOfCharge.CurrentEnergy", Number, "kWh";
    PowertrainTractionBatteryStateOfHealth = "Vehicle.Powertrain.TractionBattery.StateOfHealth", Number, "percent";
    PowertrainTractionBatteryNetCapacity = "Vehicle.Powertrain.TractionBattery.NetCapacity", Number, "kWh";
    PowertrainTractionBatteryCurrentVoltage = "Vehicle.Powertrain.TractionBattery.CurrentVoltage", Number, "V";
    PowertrainTractionBatteryCurrentCurrent = "Vehicle.Powertrain.TractionBattery.CurrentCurrent", Number, "A";
    PowertrainTractionBatteryCurrentPower = "Vehicle.Powertrain.TractionBattery.CurrentPower", Number, "W";
    PowertrainTractionBatteryTemperatureAverage = "Vehicle.Powertrain.TractionBattery.Temperature.Average", Number, "celsius";
    PowertrainTractionBatteryTemperatureMin = "Vehicle.Powertrain.TractionBattery.Temperature.Min", Number, "celsius";
    PowertrainTractionBatteryTemperatureMax = "Vehicle.Powertrain.TractionBattery.Temperature.Max", Number, "celsius";
    PowertrainTractionBatteryCellVoltageMin = "Vehicle.Powertrain.TractionBattery.CellVoltage.Min", Number, "V";
    PowertrainTractionBatteryCellVoltageMax = "Vehicle.Powertrain.TractionBattery.CellVoltage.Max", Number, "V";
    PowertrainTractionBatteryAccumulatedChargedEnergy = "Vehicle.Powertrain.TractionBattery.AccumulatedChargedEnergy", Number, "kWh";
    PowertrainTractionBatteryAccumulatedConsumedEnergy = "Vehicle.Powertrain.TractionBattery.AccumulatedConsumedEnergy", Number, "kWh";
    PowertrainTractionBatteryRange = "Vehicle.Powertrain.TractionBattery.Range", Number, "m";
    PowertrainTractionBatteryTimeRemaining = "Vehicle.Powertrain.TractionBattery.TimeRemaining", Number, "s";
    PowertrainTractionBatteryDCDCTemperature = "Vehicle.Powertrain.TractionBattery.DCDC.Temperature", Number, "celsius";
    PowertrainTractionBatteryBatteryConditioningIsActive = "Vehicle.Powertrain.TractionBattery.BatteryConditioning.IsActive", Bool, "";
    PowertrainTractionBatteryBatteryConditioningIsOngoing = "Vehicle.Powertrain.TractionBattery.BatteryConditioning.IsOngoing", Bool, "";
    PowertrainTractionBatteryChargingIsCharging = "Vehicle.Powertrain.TractionBattery.Charging.IsCharging", Bool, "";
    PowertrainTractionBatteryChargingIsDischarging = "Vehicle.Powertrain.TractionBattery.Charging.IsDischarging", Bool, "";
    PowertrainTractionBatteryChargingChargingPortAnyPositionIsFlapOpen = "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsFlapOpen", Bool, "";
    PowertrainTractionBatteryChargingChargingPortAnyPositionIsChargingCableConnected = "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected", Bool, "";
    PowertrainTractionBatteryChargingChargingPortAnyPositionIsChargingCableLocked = "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableLocked", Bool, "";
    PowertrainTractionBatteryChargingChargeLimit = "Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit", Number, "percent";
    PowertrainTractionBatteryChargingChargeCurrentDC = "Vehicle.Powertrain.TractionBattery.Charging.ChargeCurrent.DC", Number, "A";
    PowertrainTractionBatteryChargingChargeVoltageDC = "Vehicle.Powertrain.TractionBattery.Charging.ChargeVoltage.DC", Number, "V";
    PowertrainTractionBatteryChargingAveragePower = "Vehicle.Powertrain.TractionBattery.Charging.AveragePower", Number, "kW";
    PowertrainTractionBatteryChargingMaxPower = "Vehicle.Powertrain.TractionBattery.Charging.MaxPower", Number, "kW";
    PowertrainTractionBatteryChargingTemperature = "Vehicle.Powertrain.TractionBattery.Charging.Temperature", Number, "celsius";
    PowertrainTractionBatteryChargingChargeRate = "Vehicle.Powertrain.TractionBattery.Charging.ChargeRate", Number, "km/h";
    PowertrainTractionBatteryChargingTimeToComplete = "Vehicle.Powertrain.TractionBattery.Charging.TimeToComplete", Number, "s";

    // Chassis.
    ChassisAcceleratorPedalPosition = "Vehicle.Chassis.Accelerator.PedalPosition", Number, "percent";
    ChassisBrakePedalPosition = "Vehicle.Chassis.Brake.PedalPosition", Number, "percent";
    ChassisBrakeIsDriverEmergencyBrakingDetected = "Vehicle.Chassis.Brake.IsDriverEmergencyBrakingDetected", Bool, "";
    ChassisParkingBrakeIsEngaged = "Vehicle.Chassis.ParkingBrake.IsEngaged", Bool, "";
    ChassisParkingBrakeIsAutoApplyEnabled = "Vehicle.Chassis.ParkingBrake.IsAutoApplyEnabled", Bool, "";
    ChassisSteeringWheelAngle = "Vehicle.Chassis.SteeringWheel.Angle", Number, "degrees";
    ChassisAxleRow1SteeringAngle = "Vehicle.Chassis.Axle.Row1.SteeringAngle", Number, "degrees";
    ChassisAxleRow2SteeringAngle = "Vehicle.Chassis.Axle.Row2.SteeringAngle", Number, "degrees";
    ChassisAxleRow1WheelLeftSpeed = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Speed", Number, "km/h";
    ChassisAxleRow1WheelLeftTirePressure = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", Number, "kPa";
    ChassisAxleRow1WheelLeftTireIsPressureLow = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.IsPressureLow", Bool, "";
    ChassisAxleRow1WheelLeftTireTemperature = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Temperature", Number, "celsius";
    ChassisAxleRow1WheelLeftBrakePadWear = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.PadWear", Number, "percent";
    ChassisAxleRow1WheelLeftBrakeIsBrakesWorn = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.IsBrakesWorn", Bool, "";
    ChassisAxleRow1WheelLeftBrakeIsFluidLevelLow = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.IsFluidLevelLow", Bool, "";
    ChassisAxleRow1WheelRightSpeed = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Speed", Number, "km/h";
    ChassisAxleRow1WheelRightTirePressure = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Tire.Pressure", Number, "kPa";
    ChassisAxleRow1WheelRightTireIsPressureLow = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Tire.IsPressureLow", Bool, "";
    ChassisAxleRow1WheelRightTireTemperature = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Tire.Temperature", Number, "celsius";
    ChassisAxleRow1WheelRightBrakePadWear = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Brake.PadWear", Number, "percent";
    ChassisAxleRow1WheelRightBrakeIsBrakesWorn = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Brake.IsBrakesWorn", Bool, "";
    ChassisAxleRow1WheelRightBrakeIsFluidLevelLow = "Vehicle.Chassis.Axle.Row1.Wheel.Right.Brake.IsFluidLevelLow", Bool, "";
    ChassisAxleRow2WheelLeftSpeed = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Speed", Number, "km/h";
    ChassisAxleRow2WheelLeftTirePressure = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.Pressure", Number, "kPa";
    ChassisAxleRow2WheelLeftTireIsPressureLow = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.IsPressureLow", Bool, "";
    ChassisAxleRow2WheelLeftTireTemperature = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.Temperature", Number, "celsius";
    ChassisAxleRow2WheelLeftBrakePadWear = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Brake.PadWear", Number, "percent";
    ChassisAxleRow2WheelLeftBrakeIsBrakesWorn = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Brake.IsBrakesWorn", Bool, "";
    ChassisAxleRow2WheelLeftBrakeIsFluidLevelLow = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Brake.IsFluidLevelLow", Bool, "";
    ChassisAxleRow2WheelRightSpeed = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Speed", Number, "km/h";
    ChassisAxleRow2WheelRightTirePressure = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.Pressure", Number, "kPa";
    ChassisAxleRow2WheelRightTireIsPressureLow = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.IsPressureLow", Bool, "";
    ChassisAxleRow2WheelRightTireTemperature = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.Temperature", Number, "celsius";
    ChassisAxleRow2WheelRightBrakePadWear = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Brake.PadWear", Number, "percent";
    ChassisAxleRow2WheelRightBrakeIsBrakesWorn = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Brake.IsBrakesWorn", Bool, "";
    ChassisAxleRow2WheelRightBrakeIsFluidLevelLow = "Vehicle.Chassis.Axle.Row2.Wheel.Right.Brake.IsFluidLevelLow", Bool, "";

    // Body.
    BodyHoodIsOpen = "Vehicle.Body.Hood.IsOpen", Bool, "";
    BodyTrunkFrontIsOpen = "Vehicle.Body.Trunk.Front.IsOpen", Bool, "";
    BodyTrunkFrontIsLocked = "Vehicle.Body.Trunk.Front.IsLocked", Bool, "";
    BodyTrunkRearIsOpen = "Vehicle.Body.Trunk.Rear.IsOpen", Bool, "";
    BodyTrunkRearIsLocked = "Vehicle.Body.Trunk.Rear.IsLocked", Bool, "";
    BodyTrunkRearPosition = "Vehicle.Body.Trunk.Rear.Position", Number, "percent";
    BodyHornIsActive = "Vehicle.Body.Horn.IsActive", Bool, "";
    BodyRaindetectionIntensity = "Vehicle.Body.Raindetection.Intensity", Number, "percent";
    BodyWindshieldFrontWipingMode = "Vehicle.Body.Windshield.Front.Wiping.Mode", Word, "", ["OFF", "SLOW", "MEDIUM", "FAST", "INTERVAL", "RAIN_SENSOR"];
    BodyWindshieldFrontWipingSystemIsWiping = "Vehicle.Body.Windshield.Front.Wiping.System.IsWiping", Bool, "";
    BodyWindshieldFrontWipingIsWipersWorn = "Vehicle.Body.Windshield.Front.Wiping.IsWipersWorn", Bool, "";
    BodyWindshieldFrontIsHeatingOn = "Vehicle.Body.Windshield.Front.IsHeatingOn", Bool, "";
    BodyWindshieldFrontWasherFluidIsLevelLow = "Vehicle.Body.Windshield.Front.WasherFluid.IsLevelLow", Bool, "";
    BodyWindshieldFrontWasherFluidLevel = "Vehicle.Body.Windshield.Front.WasherFluid.Level", Number, "percent";
    BodyWindshieldRearWipingMode = "Vehicle.Body.Windshield.Rear.Wiping.Mode", Word, "", ["OFF", "SLOW", "MEDIUM", "FAST", "INTERVAL", "RAIN_SENSOR"];
    BodyWindshieldRearIsHeatingOn = "Vehicle.Body.Windshield.Rear.IsHeatingOn", Bool, "";
    BodyLightsLightSwitch = "Vehicle.Body.Lights.LightSwitch", Word, "", ["OFF", "POSITION", "DAYTIME_RUNNING_LIGHTS", "AUTO", "BEAM"];
    BodyLightsIsHighBeamSwitchOn = "Vehicle.Body.Lights.IsHighBeamSwitchOn", Bool, "";
    BodyLightsBeamLowIsOn = "Vehicle.Body.Lights.Beam.Low.IsOn", Bool, "";
    BodyLightsBeamLowIsDefect = "Vehicle.Body.Lights.Beam.Low.IsDefect", Bool, "";
    BodyLightsBeamHighIsOn = "Vehicle.Body.Lights.Beam.High.IsOn", Bool, "";
    BodyLightsBeamHighIsDefect = "Vehicle.Body.Lights.Beam.High.IsDefect", Bool, "";
    BodyLightsRunningIsOn = "Vehicle.Body.Lights.Running.IsOn", Bool, "";
    BodyLightsBackupIsOn = "Vehicle.Body.Lights.Backup.IsOn", Bool, "";
    BodyLightsParkingIsOn = "Vehicle.Body.Lights.Parking.IsOn", Bool, "";
    BodyLightsFogFrontIsOn = "Vehicle.Body.Lights.Fog.Front.IsOn", Bool, "";
    BodyLightsFogRearIsOn = "Vehicle.Body.Lights.Fog.Rear.IsOn", Bool, "";
    BodyLightsBrakeIsActive = "Vehicle.Body.Lights.Brake.IsActive", Word, "", ["INACTIVE", "ACTIVE", "ADAPTIVE"];
    BodyLightsBrakeIsDefect = "Vehicle.Body.Lights.Brake.IsDefect", Bool, "";
    BodyLightsHazardIsSignaling = "Vehicle.Body.Lights.Hazard.IsSignaling", Bool, "";
    BodyLightsDirectionIndicatorLeftIsSignaling = "Vehicle.Body.Lights.DirectionIndicator.Left.IsSignaling", Bool, "";
    BodyLightsDirectionIndicatorLeftIsDefect = "Vehicle.Body.Lights.DirectionIndicator.Left.IsDefect", Bool, "";
    BodyLightsDirectionIndicatorRightIsSignaling = "Vehicle.Body.Lights.DirectionIndicator.Right.IsSignaling", Bool, "";
    BodyLightsDirectionIndicatorRightIsDefect = "Vehicle.Body.Lights.DirectionIndicator.Right.IsDefect", Bool, "";
    BodyMirrorsDriverSideIsFolded = "Vehicle.Body.Mirrors.DriverSide.IsFolded", Bool, "";
    BodyMirrorsDriverSideIsHeatingOn = "Vehicle.Body.Mirrors.DriverSide.IsHeatingOn", Bool, "";
    BodyMirrorsDriverSideTilt = "Vehicle.Body.Mirrors.DriverSide.Tilt", Number, "percent";
    BodyMirrorsDriverSidePan = "Vehicle.Body.Mirrors.DriverSide.Pan", Number, "percent";
    BodyMirrorsPassengerSideIsFolded = "Vehicle.Body.Mirrors.PassengerSide.IsFolded", Bool, "";
    BodyMirrorsPassengerSideIsHeatingOn = "Vehicle.Body.Mirrors.PassengerSide.IsHeatingOn", Bool, "";
    BodyMirrorsPassengerSideTilt = "Vehicle.Body.Mirrors.PassengerSide.Tilt", Number, "percent";
    BodyMirrorsPassengerSidePan = "Vehicle.Body.Mirrors.PassengerSide.Pan", Number, "percent";

    // Cabin: doors.
    CabinIsLocked = "Vehicle.Cabin.IsLocked", Bool, "";
    CabinDoorRow1DriverSideIsOpen = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", Bool, "";
    CabinDoorRow1DriverSideIsLocked = "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked", Bool, "";
    CabinDoorRow1DriverSideIsChildLockActive = "Vehicle.Cabin.Door.Row1.DriverSide.IsChildLockActive", Bool, "";
    CabinDoorRow1DriverSideWindowIsOpen = "Vehicle.Cabin.Door.Row1.DriverSide.Window.IsOpen", Bool, "";
    CabinDoorRow1DriverSideWindowPosition = "Vehicle.Cabin.Door.Row1.DriverSide.Window.Position", Number, "percent";
    CabinDoorRow1PassengerSideIsOpen = "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen", Bool, "";
    CabinDoorRow1PassengerSideIsLocked = "Vehicle.Cabin.Door.Row1.PassengerSide.IsLocked", Bool, "";
    CabinDoorRow1PassengerSideIsChildLockActive = "Vehicle.Cabin.Door.Row1.PassengerSide.IsChildLockActive", Bool, "";
    CabinDoorRow1PassengerSideWindowIsOpen = "Vehicle.Cabin.Door.Row1.PassengerSide.Window.IsOpen", Bool, "";
    CabinDoorRow1PassengerSideWindowPosition = "Vehicle.Cabin.Door.Row1.PassengerSide.Window.Position", Number, "percent";
    CabinDoorRow2DriverSideIsOpen = "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen", Bool, "";
    CabinDoorRow2DriverSideIsLocked = "Vehicle.Cabin.Door.Row2.DriverSide.IsLocked", Bool, "";
    CabinDoorRow2DriverSideIsChildLockActive = "Vehicle.Cabin.Door.Row2.DriverSide.IsChildLockActive", Bool, "";
    CabinDoorRow2DriverSideWindowIsOpen = "Vehicle.Cabin.Door.Row2.DriverSide.Window.IsOpen", Bool, "";
    CabinDoorRow2DriverSideWindowPosition = "Vehicle.Cabin.Door.Row2.DriverSide.Window.Position", Number, "percent";
    CabinDoorRow2PassengerSideIsOpen = "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen", Bool, "";
    CabinDoorRow2PassengerSideIsLocked = "Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked", Bool, "";
    CabinDoorRow2PassengerSideIsChildLockActive = "Vehicle.Cabin.Door.Row2.PassengerSide.IsChildLockActive", Bool, "";
    CabinDoorRow2PassengerSideWindowIsOpen = "Vehicle.Cabin.Door.Row2.PassengerSide.Window.IsOpen", Bool, "";
    CabinDoorRow2PassengerSideWindowPosition = "Vehicle.Cabin.Door.Row2.PassengerSide.Window.Position", Number, "percent";
    CabinDoorRow3DriverSideIsOpen = "Vehicle.Cabin.Door.Row3.DriverSide.IsOpen", Bool, "";
    CabinDoorRow3DriverSideIsLocked = "Vehicle.Cabin.Door.Row3.DriverSide.IsLocked", Bool, "";
    CabinDoorRow3PassengerSideIsOpen = "Vehicle.Cabin.Door.Row3.PassengerSide.IsOpen", Bool, "";
    CabinDoorRow3PassengerSideIsLocked = "Vehicle.Cabin.Door.Row3.PassengerSide.IsLocked", Bool, "";
    CabinIsWindowChildLockEngaged = "Vehicle.Cabin.IsWindowChildLockEngaged", Bool, "";

    // Cabin: seats.
    CabinSeatRow1DriverSideIsOccupied = "Vehicle.Cabin.Seat.Row1.DriverSide.IsOccupied", Bool, "";
    CabinSeatRow1DriverSideIsBelted = "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted", Bool, "";
    CabinSeatRow1DriverSideHeatingCooling = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", Number, "percent";
    CabinSeatRow1DriverSideAirbagIsDeployed = "Vehicle.Cabin.Seat.Row1.DriverSide.Airbag.IsDeployed", Bool, "";
    CabinSeatRow1MiddleIsOccupied = "Vehicle.Cabin.Seat.Row1.Middle.IsOccupied", Bool, "";
    CabinSeatRow1MiddleIsBelted = "Vehicle.Cabin.Seat.Row1.Middle.IsBelted", Bool, "";
    CabinSeatRow1PassengerSideIsOccupied = "Vehicle.Cabin.Seat.Row1.PassengerSide.IsOccupied", Bool, "";
    CabinSeatRow1PassengerSideIsBelted = "Vehicle.Cabin.Seat.Row1.PassengerSide.IsBelted", Bool, "";
    CabinSeatRow1PassengerSideHeatingCooling = "Vehicle.Cabin.Seat.Row1.PassengerSide.HeatingCooling", Number, "percent";
    CabinSeatRow1PassengerSideAirbagIsDeployed = "Vehicle.Cabin.Seat.Row1.PassengerSide.Airbag.IsDeployed", Bool, "";
    CabinSeatRow2DriverSideIsOccupied = "Vehicle.Cabin.Seat.Row2.DriverSide.IsOccupied", Bool, "";
    CabinSeatRow2DriverSideIsBelted = "Vehicle.Cabin.Seat.Row2.DriverSide.IsBelted", Bool, "";
    CabinSeatRow2DriverSideHeatingCooling = "Vehicle.Cabin.Seat.Row2.DriverSide.HeatingCooling", Number, "percent";
    CabinSeatRow2DriverSideAirbagIsDeployed = "Vehicle.Cabin.Seat.Row2.DriverSide.Airbag.IsDeployed", Bool, "";
    CabinSeatRow2MiddleIsOccupied = "Vehicle.Cabin.Seat.Row2.Middle.IsOccupied", Bool, "";
    CabinSeatRow2MiddleIsBelted = "Vehicle.Cabin.Seat.Row2.Middle.IsBelted", Bool, "";
    CabinSeatRow2PassengerSideIsOccupied = "Vehicle.Cabin.Seat.Row2.PassengerSide.IsOccupied", Bool, "";
    CabinSeatRow2PassengerSideIsBelted = "Vehicle.Cabin.Seat.Row2.PassengerSide.IsBelted", Bool, "";
    CabinSeatRow2PassengerSideHeatingCooling = "Vehicle.Cabin.Seat.Row2.PassengerSide.HeatingCooling", Number, "percent";
    CabinSeatRow2PassengerSideAirbagIsDeployed = "Vehicle.Cabin.Seat.Row2.PassengerSide.Airbag.IsDeployed", Bool, "";
    CabinSeatRow3DriverSideIsOccupied = "Vehicle.Cabin.Seat.Row3.DriverSide.IsOccupied", Bool, "";
    CabinSeatRow3DriverSideIsBelted = "Vehicle.Cabin.Seat.Row3.DriverSide.IsBelted", Bool, "";
    CabinSeatRow3MiddleIsOccupied = "Vehicle.Cabin.Seat.Row3.Middle.IsOccupied", Bool, "";
    CabinSeatRow3MiddleIsBelted = "Vehicle.Cabin.Seat.Row3.Middle.IsBelted", Bool, "";
    CabinSeatRow3PassengerSideIsOccupied = "Vehicle.Cabin.Seat.Row3.PassengerSide.IsOccupied", Bool, "";
    CabinSeatRow3PassengerSideIsBelted = "Vehicle.Cabin.Seat.Row3.PassengerSide.IsBelted", Bool, "";
    CabinRearOccupantIsDetected = "Vehicle.Cabin.RearOccupant.IsDetected", Bool, "";
    CabinRearOccupantIsMoving = "Vehicle.Cabin.RearOccupant.IsMoving", Bool, "";

    // Cabin: the rest.
    CabinHVACAmbientAirTemperature = "Vehicle.Cabin.HVAC.AmbientAirTemperature", Number, "celsius";
    CabinHVACIsAirConditioningActive = "Vehicle.Cabin.HVAC.IsAirConditioningActive", Bool, "";
    CabinHVACIsRecirculationActive = "Vehicle.Cabin.HVAC.IsRecirculationActive", Bool, "";
    CabinHVACIsFrontDefrosterActive = "Vehicle.Cabin.HVAC.IsFrontDefrosterActive", Bool, "";
    CabinHVACIsRearDefrosterActive = "Vehicle.Cabin.HVAC.IsRearDefrosterActive", Bool, "";
    CabinHVACStationRow1DriverTemperature = "Vehicle.Cabin.HVAC.Station.Row1.Driver.Temperature", Number, "celsius";
    CabinHVACStationRow1DriverFanSpeed = "Vehicle.Cabin.HVAC.Station.Row1.Driver.FanSpeed", Number, "percent";
    CabinHVACStationRow1PassengerTemperature = "Vehicle.Cabin.HVAC.Station.Row1.Passenger.Temperature", Number, "celsius";
    CabinHVACStationRow1PassengerFanSpeed = "Vehicle.Cabin.HVAC.Station.Row1.Passenger.FanSpeed", Number, "percent";
    CabinHVACStationRow2DriverTemperature = "Vehicle.Cabin.HVAC.Station.Row2.Driver.Temperature", Number, "celsius";
    CabinHVACStationRow2DriverFanSpeed = "Vehicle.Cabin.HVAC.Station.Row2.Driver.FanSpeed", Number, "percent";
    CabinHVACStationRow2PassengerTemperature = "Vehicle.Cabin.HVAC.Station.Row2.Passenger.Temperature", Number, "celsius";
    CabinHVACStationRow2PassengerFanSpeed = "Vehicle.Cabin.HVAC.Station.Row2.Passenger.FanSpeed", Number, "percent";
    CabinSunroofPosition = "Vehicle.Cabin.Sunroof.Position", Number, "percent";
    CabinSunroofShadeIsOpen = "Vehicle.Cabin.Sunroof.Shade.IsOpen", Bool, "";
    CabinRearShadeIsOpen = "Vehicle.Cabin.RearShade.IsOpen", Bool, "";
    CabinConvertibleStatus = "Vehicle.Cabin.Convertible.Status", Word, "", ["UNDEFINED", "CLOSED", "OPEN", "CLOSING", "OPENING", "STALLED"];
    CabinLightIsDomeOn = "Vehicle.Cabin.Light.IsDomeOn", Bool, "";
    CabinInfotainmentMediaVolume = "Vehicle.Cabin.Infotainment.Media.Volume", Number, "percent";

    // The driver.
    DriverAttentiveProbability = "Vehicle.Driver.AttentiveProbability", Number, "percent";
    DriverDistractionLevel = "Vehicle.Driver.DistractionLevel", Number, "percent";
    DriverFatigueLevel = "Vehicle.Driver.FatigueLevel", Number, "percent";
    DriverIsEyesOnRoad = "Vehicle.Driver.IsEyesOnRoad", Bool, "";
    DriverIsHandsOnWheel = "Vehicle.Driver.IsHandsOnWheel", Bool, "";
    DriverHeartRate = "Vehicle.Driver.HeartRate", Number, "bpm";

    // Assistance.
    ADASActiveAutonomyLevel = "Vehicle.ADAS.ActiveAutonomyLevel", Word, "", ["SAE_0", "SAE_1", "SAE_2_DISENGAGING", "SAE_2", "SAE_3_DISENGAGING", "SAE_3", "SAE_4_DISENGAGING", "SAE_4", "SAE_5_DISENGAGING", "SAE_5"];
    ADASCruiseControlIsEnabled = "Vehicle.ADAS.CruiseControl.IsEnabled", Bool, "";
    ADASCruiseControlIsActive = "Vehicle.ADAS.CruiseControl.IsActive", Bool, "";
    ADASCruiseControlSpeedSet = "Vehicle.ADAS.CruiseControl.SpeedSet", Number, "km/h";
    ADASCruiseControlIsError = "Vehicle.ADAS.CruiseControl.IsError", Bool, "";
    ADASABSIsEnabled = "Vehicle.ADAS.ABS.IsEnabled", Bool, "";
    ADASABSIsEngaged = "Vehicle.ADAS.ABS.IsEngaged", Bool, "";
    ADASABSIsError = "Vehicle.ADAS.ABS.IsError", Bool, "";
    ADASTCSIsEnabled = "Vehicle.ADAS.TCS.IsEnabled", Bool, "";
    ADASTCSIsEngaged = "Vehicle.ADAS.TCS.IsEngaged", Bool, "";
    ADASTCSIsError = "Vehicle.ADAS.TCS.IsError", Bool, "";
    ADASESCIsEnabled = "Vehicle.ADAS.ESC.IsEnabled", Bool, "";
    ADASESCIsEngaged = "Vehicle.ADAS.ESC.IsEngaged", Bool, "";
    ADASESCIsError = "Vehicle.ADAS.ESC.IsError", Bool, "";
    ADASEBDIsEnabled = "Vehicle.ADAS.EBD.IsEnabled", Bool, "";
    ADASEBDIsEngaged = "Vehicle.ADAS.EBD.IsEngaged", Bool, "";
    ADASEBDIsError = "Vehicle.ADAS.EBD.IsError", Bool, "";
    ADASEBAIsEnabled = "Vehicle.ADAS.EBA.IsEnabled", Bool, "";
    ADASEBAIsEngaged = "Vehicle.ADAS.EBA.IsEngaged", Bool, "";
    ADASEBAIsError = "Vehicle.ADAS.EBA.IsError", Bool, "";
    ADASLaneDepartureDetectionIsEnabled = "Vehicle.ADAS.LaneDepartureDetection.IsEnabled", Bool, "";
    ADASLaneDepartureDetectionIsWarning = "Vehicle.ADAS.LaneDepartureDetection.IsWarning", Bool, "";
    ADASLaneDepartureDetectionIsError = "Vehicle.ADAS.LaneDepartureDetection.IsError", Bool, "";
    ADASObstacleDetectionIsEnabled = "Vehicle.ADAS.ObstacleDetection.IsEnabled", Bool, "";
    ADASObstacleDetectionIsWarning = "Vehicle.ADAS.ObstacleDetection.IsWarning", Bool, "";
    ADASObstacleDetectionIsError = "Vehicle.ADAS.ObstacleDetection.IsError", Bool, "";
    ADASDMSIsEnabled = "Vehicle.ADAS.DMS.IsEnabled", Bool, "";
    ADASDMSIsWarning = "Vehicle.ADAS.DMS.IsWarning", Bool, "";
    ADASDMSIsError = "Vehicle.ADAS.DMS.IsError", Bool, "";
}

impl Signal {
    /// The signal of this VSS 5 path.
    pub fn from_path(path: &str) -> Option<Signal> {
        Signal::ALL.iter().copied().find(|signal| signal.path() == path)
    }

    /// The signal that an integrator means by `path`: a path of VSS 5, or what other versions call the same leaf. Up to
    /// VSS 3 seats were numbered from the left: `Pos1` is the driver's where the driver sits on the left.
    pub fn from_any_path(path: &str) -> Option<Signal> {
        Signal::from_path(path).or_else(|| {
            let mut path = path.to_owned();
            for (other, ours) in RENAMED {
                if path.contains(other) {
                    path = path.replace(other, ours);
                }
            }
            Signal::from_path(&path)
        })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.path())
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Signal, D::Error> {
        let path = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Signal::from_path(&path).ok_or_else(|| serde::de::Error::custom(format!("no such signal: {path}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vehicle::Word;

    #[test]
    fn every_path_is_there_once_and_its_words_fit() {
        for (at, signal) in Signal::ALL.iter().enumerate() {
            assert_eq!(*signal as usize, at);
            assert_eq!(Signal::from_path(signal.path()), Some(*signal));
            assert_eq!(signal.words().is_empty(), signal.datatype() != Datatype::Word, "{signal}");
            assert!(signal.words().iter().all(|word| Word::try_from(*word).is_ok()), "{signal}");
            assert!(signal.unit().is_empty() || signal.datatype() == Datatype::Number, "{signal}");
        }
    }

    #[test]
    fn paths_of_other_versions_mean_the_same_leaf() {
        let means = |path: &str, signal| assert_eq!(Signal::from_any_path(path), Some(signal), "{path}");
        means("Vehicle.Cabin.Seat.Row2.PassengerSide.OccupancyStatus", Signal::CabinSeatRow2PassengerSideIsOccupied);
        means("Vehicle.Cabin.Seat.Row2.Pos2.IsBelted", Signal::CabinSeatRow2MiddleIsBelted);
        means("Vehicle.Powertrain.CombustionEngine.ECT", Signal::PowertrainCombustionEngineEngineCoolantTemperature);
        means("Vehicle.Speed", Signal::Speed);
        assert_eq!(Signal::from_any_path("Vehicle.Sped"), None);
    }
}
